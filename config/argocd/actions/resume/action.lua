-- Ends a suspension. The field goes, rather than becoming false: the object is then what Git states.
obj.spec.suspend = nil
return obj
