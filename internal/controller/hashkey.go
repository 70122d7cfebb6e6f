package controller

import (
	"context"
	"crypto/rand"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	hashKeySecret = "tokensync-hash-key"
	hashKeyField  = "key"
)

// HashKey returns the key of request hashes, from the Secret tokensync-hash-key in the operator's namespace, which is made where it is
// absent. A lost key costs no token: what was stamped with it is stamped anew.
func HashKey(ctx context.Context, api client.Client, namespace string) ([]byte, error) {
	name := client.ObjectKey{Namespace: namespace, Name: hashKeySecret}
	var secret corev1.Secret
	err := api.Get(ctx, name, &secret)
	if apierrors.IsNotFound(err) {
		if err = createHashKey(ctx, api, name); err == nil || apierrors.IsAlreadyExists(err) {
			err = api.Get(ctx, name, &secret) // another replica may have been first
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the hash key from Secret %s: %w", name, err)
	}
	if key := secret.Data[hashKeyField]; len(key) == HashKeySize {
		return key, nil
	}
	return nil, fmt.Errorf("the hash key's Secret %s does not hold %d bytes under %q: delete it, and it is made anew", name, HashKeySize, hashKeyField)
}

func createHashKey(ctx context.Context, api client.Client, name client.ObjectKey) error {
	key := make([]byte, HashKeySize)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("draw a hash key: %w", err)
	}
	return api.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: name.Namespace, Name: name.Name,
			Labels: map[string]string{managedByLabel: fieldManager},
		},
		Data: map[string][]byte{hashKeyField: key},
	}, client.FieldOwner(fieldManager))
}
