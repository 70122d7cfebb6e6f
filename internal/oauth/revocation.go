package oauth

import "context"

// Revoke sends a revocation request (RFC 7009, section 2). That the server does not know the token, or does not revoke tokens of its
// kind, is success: there is nothing left to do. An error is always an *Error.
func (c *Client) Revoke(ctx context.Context, r *Request) error {
	answer, failure := c.exchange(ctx, revocationEndpoint, r)
	if failure != nil {
		return failure.withHint(r.hints)
	}
	if answer.isSuccess() {
		return nil // RFC 7009, section 2.2: the content is ignored, and an unknown token answers 200 as well
	}
	failure = readFailure(answer)
	if failure.Code == "unsupported_token_type" { // RFC 7009, section 2.2.1
		return nil
	}
	return failure.withHint(r.hints)
}
