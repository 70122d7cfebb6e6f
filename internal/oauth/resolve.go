package oauth

// Resolve checks what a user stated against the catalogue and returns all that requests need. The error is a *ConfigError that names
// every fault. While credentials are nil, what depends on them is not checked, and endpoints that may depend on them stay empty.
func (c *Catalogue) Resolve(s Settings) (*Flow, error) {
	return nil, &ConfigError{Reason: ReasonInvalidSpec, Faults: []string{"not implemented"}}
}
