package oauthtest

// Who signs in at the vendors' pages, where no other user was made (see SetPassword).
const (
	ExampleUsername = "ada"
	ExamplePassword = exampleSecret
)

// Nothing leaves a parameter out, in Consent's fields that replace one.
const Nothing = "-"

// Consent is what a person does at the authorization endpoint, and what is wrong with the answer to it. The zero value consents, and all
// is well.
type Consent struct {
	// Subject is who it is. Default: ExampleUsername.
	Subject string
	// Error is answered in place of a code, such as access_denied or login_required (RFC 6749, section 4.1.2.1).
	Error string
	// Description goes with Error.
	Description string
	// Issuer is what the answer says of its sender in place of the truth, also where none was announced (RFC 9207); Nothing leaves it out.
	Issuer string
	// State is what comes back in place of the request's; Nothing leaves it out.
	State string
	// ClientID is whose code is answered in place of the asking client's, as when somebody slips in a code that was made elsewhere
	// (RFC 9700, section 4.5).
	ClientID string
}

// ConsentBy has somebody answer at a vendor's authorization endpoint at once, without pages, until the next call; nil brings the pages back.
func (s *Server) ConsentBy(vendor Vendor, who *Consent) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	s.registry.consents[vendor] = who
}

// consentBy is who answers at the vendor without pages; nil: nobody.
func (r *registry) consentBy(vendor Vendor) *Consent {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.consents[vendor]
}

// said is what an answer says where the script replaces the truth.
func said(scripted, truth string) string {
	switch scripted {
	case "":
		return truth
	case Nothing:
		return ""
	default:
		return scripted
	}
}

// NameIssuer has authorization answers of all vendors name their sender, and discovery announce it (RFC 9207).
func (s *Server) NameIssuer() { s.namesIssuer.Store(true) }
