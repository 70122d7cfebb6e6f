package oauth

// Vendor is one entry of the catalogue (contract, section 5).
type Vendor struct {
	Name string `json:"name"`
}

// Catalogue is the set of vendors that this process knows. It is immutable and safe for concurrent use.
type Catalogue struct{ vendors map[string]*Vendor }
