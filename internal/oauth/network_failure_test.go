package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestE4_EveryNetworkFailureSaysWhatItIs(t *testing.T) {
	dialled := func(err error) error {
		address := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 443}
		return &net.OpError{Op: "dial", Net: "tcp", Addr: address, Err: os.NewSyscallError("connect", err)}
	}
	verified := func(err error) error {
		return fmt.Errorf("%w: %w", errHandshake, &tls.CertificateVerificationError{Err: err})
	}
	for what, c := range map[string]struct {
		err     error
		sent    bool
		message string
		cause   error
	}{
		"refused":            {dialled(syscall.ECONNREFUSED), false, "refuses connections", syscall.ECONNREFUSED},
		"no route":           {dialled(syscall.EHOSTUNREACH), false, "can't be reached from the cluster", syscall.EHOSTUNREACH},
		"no network":         {dialled(syscall.ENETUNREACH), false, "can't be reached from the cluster", syscall.ENETUNREACH},
		"forbidden":          {dialled(syscall.EPERM), false, "can't be reached from the cluster", syscall.EPERM},
		"the kernel gave up": {dialled(syscall.ETIMEDOUT), false, "could not be connected to in time", syscall.ETIMEDOUT},
		"the dialer gave up": {&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, false, "could not be connected to in time", nil},
		"something else":     {errors.New(theSecret), false, "could not be connected to.", nil},
		"our limit, sent":    {context.DeadlineExceeded, true, "no answer in time", context.DeadlineExceeded},
		"our limit, unsent":  {context.DeadlineExceeded, false, "could not be connected to in time", context.DeadlineExceeded},
		"given up":           {context.Canceled, true, "left in the middle", context.Canceled},
		"reset, sent":        {&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, true, "before its answer was complete", syscall.ECONNRESET},
		"broken, unsent":     {&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}, false, "before the request was sent", syscall.EPIPE},
		"ended":              {fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), true, "before its answer was complete", nil},
		"no HTTP":            {errors.New("malformed HTTP response " + theSecret), true, "no complete HTTP answer", nil},
		"no such name":       {dialled(&net.DNSError{Name: theSecret, IsNotFound: true}), false, "DNS does not know", nil},
		"DNS is down":        {dialled(&net.DNSError{Name: theSecret, IsTemporary: true}), false, "Check the cluster's DNS", nil},
		"DNS is slow":        {dialled(&net.DNSError{Name: theSecret, IsTimeout: true}), false, "Check the cluster's DNS", nil},
		"unknown authority":  {verified(x509.UnknownAuthorityError{}), false, "spec.caBundle", nil},
		"another name":       {verified(x509.HostnameError{Host: theSecret, Certificate: &x509.Certificate{}}), false, "another name", nil},
		"expired":            {verified(x509.CertificateInvalidError{Reason: x509.Expired}), false, "expired or not valid yet", nil},
		"not for servers":    {verified(x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}), false, "is not valid", nil},
		"a TLS alert":        {fmt.Errorf("%w: %w", errHandshake, errors.New("remote error")), false, "does not speak TLS as it should", nil},
	} {
		t.Run(what, func(t *testing.T) {
			failure := networkFailure(tokenEndpoint, c.err, c.sent)
			wantFailure(t, failure, &Error{Class: Transient, Reason: ReasonVendorUnavailable, Sent: c.sent}, "The token endpoint ")
			wantFailure(t, failure, &Error{Class: Transient, Reason: ReasonVendorUnavailable, Sent: c.sent}, c.message)
			if !errors.Is(failure.Unwrap(), c.cause) {
				t.Errorf("cause %v, want %v", failure.Unwrap(), c.cause)
			}
			wantNoSecret(t, failure.Error()+fmt.Sprintf("%#v", failure.Unwrap()))
		})
	}
}
