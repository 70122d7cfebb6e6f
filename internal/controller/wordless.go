package controller

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// wordless is the API server's refusal of a write, for the log. Only its reason is printed: an admission webhook's words may quote what it
// refuses: a Secret, or a status with a link in it.
type wordless struct{ refusal error }

// withoutWords makes a refusal wordless; nil stays nil.
func withoutWords(err error) error {
	if err == nil {
		return nil
	}
	return wordless{err}
}

// Error implements error.
func (w wordless) Error() string {
	if reason := apierrors.ReasonForError(w.refusal); reason != metav1.StatusReasonUnknown {
		return string(reason)
	}
	if _, answered := errors.AsType[*apierrors.StatusError](w.refusal); answered {
		return "the API server refused, without a reason that can be shown"
	}
	return w.refusal.Error()
}

// wordsOf is what the API server said, also where it is not to be printed: for what is known to quote nothing, such as a webhook's name.
func wordsOf(err error) string {
	if answered, ok := errors.AsType[*apierrors.StatusError](err); ok {
		return answered.ErrStatus.Message
	}
	return err.Error()
}

// Unwrap gives the refusal, to be asked what it is.
func (w wordless) Unwrap() error { return w.refusal }
