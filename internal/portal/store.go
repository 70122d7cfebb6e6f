package portal

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

const (
	// indexTicket is the cache's index of state Secrets by the hash of the ticket that they hold.
	indexTicket = "ticket"
	// indexAttempt is the same by the hashes of the states of the attempts that they hold.
	indexAttempt = "attempt"
	// writeAttempts is how often a write is tried anew when the controller writes at the same time.
	writeAttempts = 8
	// fieldManager is who writes.
	fieldManager = "tokensync"
)

// indexes are the cache's, of Secrets.
func indexes() map[string]client.IndexerFunc {
	return map[string]client.IndexerFunc{
		indexTicket: func(o client.Object) []string {
			if ticket := recordIn(o).Ticket; ticket != "" {
				return []string{ticket}
			}
			return nil
		},
		indexAttempt: func(o client.Object) (states []string) {
			for _, attempt := range recordIn(o).Attempts {
				states = append(states, attempt.State)
			}
			return states
		},
	}
}

// recordIn is the record in a state Secret; none in any other object.
func recordIn(object client.Object) consent.Record {
	secret, ok := object.(*corev1.Secret)
	if !ok || secret.Labels[v1alpha1.RoleLabel] != v1alpha1.RoleState {
		return consent.Record{}
	}
	return consent.Parse(secret.Data[consent.Key])
}

// find returns the OAuthToken that the cache has under a ticket or a state, and its record. The error is consent.ErrUnknown, or the API server's.
func (p *Portal) find(ctx context.Context, index string, secret oauth.Sensitive) (client.ObjectKey, consent.Record, error) {
	var found corev1.SecretList
	err := p.Client.List(ctx, &found, client.MatchingFields{index: consent.Hash(secret)}, client.DisableReadYourWritesConsistency)
	switch {
	case err != nil:
		return client.ObjectKey{}, consent.Record{}, err
	case len(found.Items) != 1:
		return client.ObjectKey{}, consent.Record{}, consent.ErrUnknown
	}
	of := client.ObjectKey{Namespace: found.Items[0].Namespace, Name: found.Items[0].Annotations[v1alpha1.OwnerAnnotation]}
	_, err = p.token(ctx, of)
	return of, recordIn(&found.Items[0]), err
}

// cached is the record of an OAuthToken as the cache has it, or none.
func (p *Portal) cached(ctx context.Context, of client.ObjectKey) consent.Record {
	secret := &corev1.Secret{}
	err := p.Client.Get(ctx, client.ObjectKey{Namespace: of.Namespace, Name: of.Name + v1alpha1.StateSecretSuffix}, secret)
	if err != nil || !isStateOf(of, secret) {
		return consent.Record{}
	}
	return consent.Parse(secret.Data[consent.Key])
}

// read returns the state Secret of an OAuthToken as the API server has it, and the record in it. The error is consent.ErrUnknown where
// there is none that belongs to it, or the API server's.
func (p *Portal) read(ctx context.Context, of client.ObjectKey) (*corev1.Secret, consent.Record, error) {
	secret := &corev1.Secret{}
	err := p.Live.Get(ctx, client.ObjectKey{Namespace: of.Namespace, Name: of.Name + v1alpha1.StateSecretSuffix}, secret)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return nil, consent.Record{}, consent.ErrUnknown
	case err != nil:
		return nil, consent.Record{}, err
	case !isStateOf(of, secret):
		return nil, consent.Record{}, consent.ErrUnknown
	}
	return secret, consent.Parse(secret.Data[consent.Key]), nil
}

// isStateOf tells whether a Secret is the state Secret of an OAuthToken.
func isStateOf(of client.ObjectKey, secret *corev1.Secret) bool {
	owner := metav1.GetControllerOf(secret)
	return secret.Labels[v1alpha1.RoleLabel] == v1alpha1.RoleState && secret.Annotations[v1alpha1.OwnerAnnotation] == of.Name &&
		(owner == nil || owner.Kind == "OAuthToken" && owner.Name == of.Name)
}

// change changes the record of an OAuthToken, as the API server has it, and returns it as written. A change that was refused leaves it
// alone; its error is returned.
func (p *Portal) change(ctx context.Context, of client.ObjectKey, change func(consent.Record) (consent.Record, error)) error {
	var err error
	for range writeAttempts {
		var secret *corev1.Secret
		var record consent.Record
		if secret, record, err = p.read(ctx, of); err != nil {
			return err
		}
		if record, err = change(record); err != nil {
			return err
		}
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[consent.Key] = record.Encode()
		if err = p.Client.Update(ctx, secret, client.FieldOwner(fieldManager)); !apierrors.IsConflict(err) {
			return err
		}
	}
	return err
}

// token is the OAuthToken itself, from the cache; consent.ErrUnknown where it is gone or going.
func (p *Portal) token(ctx context.Context, of client.ObjectKey) (*v1alpha1.OAuthToken, error) {
	token := &v1alpha1.OAuthToken{}
	err := p.Client.Get(ctx, of, token)
	if apierrors.IsNotFound(err) || err == nil && !token.DeletionTimestamp.IsZero() {
		return nil, consent.ErrUnknown
	}
	return token, err
}

// isAbsence tells whether an error says that there is no such link or attempt, or not any more, rather than that nobody could find out.
func isAbsence(err error) bool {
	return errors.Is(err, consent.ErrUnknown) || errors.Is(err, consent.ErrExpired) || errors.Is(err, errUsed)
}

var (
	// errUsed: the browser of an attempt was back already.
	errUsed = errors.New("the attempt was used already")
	// errOtherBrowser: the browser has no key to the attempt that it names.
	errOtherBrowser = errors.New("another browser began this")
)
