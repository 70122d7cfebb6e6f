-- Stops requests to the vendor. It holds against selfHeal as long as Git does not state spec.suspend.
obj.spec.suspend = true
return obj
