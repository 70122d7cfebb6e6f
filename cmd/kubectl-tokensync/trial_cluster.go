package main

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// clusterPatience is how long a cluster may take to answer before a try goes on without it.
const clusterPatience = 10 * time.Second

// askCluster has the API server judge the OAuthToken by the rules of its CRD and by admission policies, without keeping it.
func (t *trial) askCluster(ctx context.Context) {
	if t.verb.offline {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	err := t.verb.connectError
	if err == nil {
		err = t.dryRun(ctx)
	}
	status := apierrors.APIStatus(nil)
	switch {
	case err == nil:
		t.add(fine, "API server", "would accept it")
	case apierrors.IsInvalid(err) && errors.As(err, &status):
		for _, cause := range status.Status().Details.Causes {
			t.add(fault, "API server", "%s: %s", cause.Field, cause.Message)
		}
	case meta.IsNoMatchError(err):
		t.add(remark, "API server", "does not know OAuthTokens, so the manifest was not judged by it: install Tokensync there first")
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		t.add(remark, "API server", "did not judge the manifest: %v", err)
	case apierrors.IsBadRequest(err), errors.As(err, &status) && status.Status().Code < 500:
		t.add(fault, "API server", "%v", err)
	default:
		t.add(remark, "API server", "none could be asked, so its rules were not checked (--offline leaves this out): %v", err)
	}
}

// dryRun applies the OAuthToken as it is, for the API server to judge.
func (t *trial) dryRun(ctx context.Context) error {
	bare := &v1alpha1.OAuthToken{TypeMeta: t.token.TypeMeta, ObjectMeta: t.token.ObjectMeta, Spec: t.token.Spec}
	bare.ManagedFields, bare.UID, bare.ResourceVersion = nil, "", ""
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(bare)
	if err != nil {
		return err
	}
	delete(fields, "status")
	return t.verb.connection.Apply(ctx, client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: fields}),
		client.DryRunAll, client.ForceOwnership, client.FieldOwner(fieldManager))
}

// findSecret takes the credentials Secret from the file, else from the cluster.
func (t *trial) findSecret(ctx context.Context, file *manifest) {
	name, namespace := t.token.Spec.CredentialsSecretRef.Name, t.token.Namespace
	if name == "" {
		t.add(fault, "credentials", "spec.credentialsSecretRef.name is missing: name the Secret with the credentials")
		return
	}
	if t.secret = file.secret(namespace, name); t.secret != nil {
		return
	}
	if t.verb.offline {
		t.add(fault, "credentials", "Secret %q is not in the file, and with --offline it can't be read from a cluster: add it to the file", name)
		return
	}
	if t.verb.connectError != nil {
		t.add(fault, "credentials", "Secret %q is not in the file, and no cluster could be asked for it: %v", name, t.verb.connectError)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	found := &corev1.Secret{}
	err := t.verb.connection.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, found)
	switch {
	case err == nil:
		t.secret = found
	case apierrors.IsNotFound(err):
		t.add(fault, "credentials", "Secret %q is neither in the file nor in namespace %s: create it with the label %s=%s", name, namespace, v1alpha1.RoleLabel, v1alpha1.RoleCredentials)
	default:
		t.add(fault, "credentials", "Secret %q is not in the file and can't be read from namespace %s: %v", name, namespace, err)
	}
}
