package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

const (
	installation = "config/default"
	// manifests are the examples of the documentation, applied as they are.
	manifests = "hack/demo/manifests"
)

// scene is all that runs. What has not started is nil.
type scene struct {
	assets  string // folder of the control plane's binaries
	folder  string // for everything temporary
	cluster *cluster
	vendor  *scriptedVendor
	listen  addresses // of the manager
	manager *manager
	user    client.Client // an administrator's, without a cache
}

// setUp starts everything, one after the other.
func (s *scene) setUp(ctx context.Context, screen *screen) error {
	screen.heading("Start")
	if err := s.listen.choose(ctx); err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"etcd and kube-apiserver", uninterrupted(s.startCluster)},
		{"kubectl apply --server-side -k " + installation, s.install},
		{fmt.Sprintf("a scripted vendor that plays all five, with tokens that live %s", briefly(lifetime)), uninterrupted(s.startVendor)},
		{"kubectl apply -f " + manifests, s.applyManifests},
		{"a key pair where the SAML example says (PEM)", s.fillInKeyPair},
		{"the generic example is pointed there, too: spec.endpoints", s.redirect},
		{"the manager, with the rights of its ServiceAccount", s.startManager},
	} {
		if err := screen.step(step.what, func() error { return step.do(ctx) }); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return whyEnded(ctx)
		}
	}
	return nil
}

// uninterrupted is a step that takes no heed of its context: what it starts ends with tearDown.
func uninterrupted(do func() error) func(context.Context) error {
	return func(context.Context) error { return do() }
}

// tearDown stops everything, the last first.
func (s *scene) tearDown() error {
	var failures []error
	if s.manager != nil {
		s.manager.stop()
	}
	if s.vendor != nil {
		s.vendor.Close()
	}
	if s.cluster != nil {
		failures = append(failures, s.cluster.stop())
	}
	return errors.Join(append(failures, os.RemoveAll(s.folder))...)
}

// managerLog is the end of the manager's log; empty where it was not started.
func (s *scene) managerLog() string {
	if s.manager == nil {
		return ""
	}
	return s.manager.lastLines()
}

func (s *scene) startCluster() (err error) {
	s.cluster, err = startCluster(s.assets, s.folder)
	return err
}

// startVendor makes the portal's callback known to the vendor, as one does at a real vendor's pages.
func (s *scene) startVendor() (err error) {
	s.vendor, err = startVendor(s.folder, s.listen.portalURL()+"/callback")
	return err
}

func (s *scene) startManager(ctx context.Context) (err error) {
	s.manager, err = startManager(ctx, s.cluster, s.vendor, s.listen, s.folder)
	return err
}

// install applies what a real cluster gets. The Deployment in it stays without pods, since nothing here runs any.
func (s *scene) install(ctx context.Context) error {
	if err := s.cluster.kubectl(ctx, "apply", "--server-side", "-k", installation); err != nil {
		return err
	}
	if err := s.cluster.kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "crd/oauthtokens.tokensync.dev"); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	user, err := client.New(s.cluster.admin, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	s.user = user
	return user.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
}

// applyManifests applies the examples while the manager does not run yet: two of them are completed before it sends anything.
func (s *scene) applyManifests(ctx context.Context) error {
	if err := s.cluster.kubectl(ctx, "apply", "-f", manifests); err != nil {
		return err
	}
	files, err := filepath.Glob(manifests + "/*.yaml")
	if err != nil {
		return err
	}
	var tokens v1alpha1.OAuthTokenList
	if err := s.user.List(ctx, &tokens, client.InNamespace(namespace)); err != nil {
		return err
	}
	if len(tokens.Items) != len(files) || len(files) == 0 {
		return fmt.Errorf("%d files in %s made %d OAuthTokens, and should have made one each", len(files), manifests, len(tokens.Items))
	}
	return nil
}

// fillInKeyPair does what the SAML example tells its user to do.
func (s *scene) fillInKeyPair(ctx context.Context) error {
	key, certificate, err := s.vendor.trustNewPair(clock.RealClock{})
	if err != nil {
		return err
	}
	return s.setCredentials(ctx, "genesys-saml-client", map[string]string{
		"saml_signing_key": string(key), "saml_signing_certificate": string(certificate),
	})
}

// redirect points the generic example at the scripted vendor. The others are pointed there by --vendors-dir, and nothing in them is
// changed; the endpoints of this one stand in its own spec, and nobody answers at their host.
func (s *scene) redirect(ctx context.Context) error {
	return s.patch(ctx, oauthToken("warehouse"), map[string]any{"spec": map[string]any{"endpoints": map[string]string{
		"tokenURL":      s.vendor.TokenURL(oauthtest.Generic),
		"revocationURL": s.vendor.RevocationURL(oauthtest.Generic),
	}}})
}

// setCredentials changes keys of a Secret.
func (s *scene) setCredentials(ctx context.Context, name string, values map[string]string) error {
	return s.patch(ctx, secret(name), map[string]any{"stringData": values})
}

// patch merges a change into an object.
func (s *scene) patch(ctx context.Context, object client.Object, change map[string]any) error {
	content, err := json.Marshal(change)
	if err != nil {
		return err
	}
	return s.user.Patch(ctx, object, client.RawPatch(types.MergePatchType, content))
}

// oauthToken names one of the examples.
func oauthToken(name string) *v1alpha1.OAuthToken {
	return &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// secret names one beside them.
func secret(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}
