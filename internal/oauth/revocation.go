package oauth

import "context"

// Revoke sends a revocation request (RFC 7009, section 2). That the server does not know the token, or does not revoke tokens of its
// kind, is success: there is nothing left to do. An error is always an *Error.
func (c *Client) Revoke(_ context.Context, _ *Request) error {
	return &Error{Class: Transient, Reason: ReasonVendorUnavailable, Message: "not built yet"}
}
