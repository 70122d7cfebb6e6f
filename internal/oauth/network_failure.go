package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
)

// networkFailure is the failure of an exchange that brought no answer. Go's error texts hold addresses, ports and bytes of the answer;
// none of it is kept.
func networkFailure(at endpoint, err error, sent bool) *Error {
	if own, ok := errors.AsType[*Error](err); ok { // from the dialer: refused address, refusing proxy
		return own
	}
	subject := "The " + string(at)
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "proxyconnect" {
		subject = "The manager's proxy"
	}
	return &Error{
		Class: Transient, Reason: ReasonVendorUnavailable, Sent: sent, cause: networkCause(err),
		Message: subject + " " + networkProblem(err, sent),
	}
}

// networkCause keeps what errors.Is may be asked for, and nothing that holds text.
func networkCause(err error) error {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return cause
		}
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return errno
	}
	return nil
}

// networkProblem says what happened and what to do, in words that fit after the name of the other side.
func networkProblem(err error, sent bool) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "was left in the middle of a request, because the manager stops or the object changed."
	case errors.As(err, &dns):
		return nameProblem(dns)
	case errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded):
		return timeoutProblem(sent)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses connections. Check the endpoint and its port, or wait until the vendor's service is back."
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return "can't be reached from the cluster. Check network policies, firewalls and routes."
	}
	return brokenProblem(err, sent)
}

// errHandshake marks errors of a TLS handshake: crypto/tls has no type for most of them.
var errHandshake = errors.New("TLS handshake failed")

func timeoutProblem(sent bool) string {
	if sent {
		return "gave no answer in time. Ask the vendor if this stays."
	}
	return "could not be connected to in time. Check network policies, firewalls and the proxy settings of the manager's Deployment."
}

func nameProblem(err *net.DNSError) string {
	if err.IsNotFound {
		return "has a name that DNS does not know. Check the endpoint, or the parameters that it is made of."
	}
	return "has a name that could not be looked up. Check the cluster's DNS."
}

func certificateProblem(err error) string {
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &authority):
		return "has a TLS certificate of an authority that is not trusted here. Put the authority's certificate into spec.caBundle."
	case errors.As(err, &name):
		return "has a TLS certificate that is made out for another name. Check the endpoint, or have the certificate replaced."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has a TLS certificate that is expired or not valid yet. Have it replaced, or check the clock of the node."
	case errors.As(err, &verification):
		return "has a TLS certificate that is not valid. Have it replaced."
	}
	return "does not speak TLS as it should (1.2 or later is needed). Check the endpoint's scheme and port."
}

func brokenProblem(err error, sent bool) string {
	isCut := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	switch {
	case isCut && sent:
		return "cut the connection before its answer was complete. Ask the vendor if this stays."
	case isCut:
		return "cut the connection before the request was sent. Ask the vendor if this stays."
	case errors.Is(err, errHandshake):
		return certificateProblem(err)
	case sent:
		return "gave no complete HTTP answer. Check the endpoint and its port; ask the vendor if this stays."
	}
	return "could not be connected to. Check the endpoint and its port."
}
