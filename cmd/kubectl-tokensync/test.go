package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// testVerb is one run of the verb.
type testVerb struct {
	session
	trust

	file      string
	offline   bool
	noRequest bool
	spend     bool
	revoke    bool

	platform     declaration.Platform
	vendors      *oauth.Client
	connection   *connection
	connectError error
}

func newTestCommand(s session) *cobra.Command {
	v := &testVerb{session: s}
	command := &cobra.Command{
		Use: "test -f FILE", Args: cobra.NoArgs, Short: "Try a manifest and its credentials against the vendor, without writing anything",
		Long: "Check each OAuthToken of a file as the operator would: the API server judges it without keeping it, the vendor catalogue and the rules for\n" +
			"where credentials may go are applied, and one token is requested from the vendor. What is told of the token is its lifetime, its scope and,\n" +
			"where it is a JWT, some of its claims; never the token. Nothing is written to the cluster, and the token is forgotten.\n\n" +
			"The credentials Secret is taken from the file, else read from the cluster. Refresh tokens and ready SAML assertions are not spent without\n" +
			"--spend. Where a person has to consent, the manifest is checked, and no token is requested.\n\n" +
			"Exit status: 0 a token would be issued, or a person is all that is missing; 1 there is a fault.",
		Example: "  kubectl tokensync test -f token.yaml\n  kubectl tokensync explain genesys-cloud --example | kubectl tokensync test -f - --offline --no-request\n" +
			"  kubectl tokensync test -f token.yaml --offline --vendors-dir ./vendors",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              v.run,
	}
	flags := command.Flags()
	flags.StringVarP(&v.file, "filename", "f", "", "file with an OAuthToken and, as a rule, its credentials Secret; - reads what is piped in")
	flags.BoolVar(&v.offline, "offline", false, "ask no cluster: neither to judge the manifest nor for the Secret")
	flags.BoolVar(&v.noRequest, "no-request", false, "ask the vendor nothing: check the manifest alone")
	flags.BoolVar(&v.spend, "spend", false, "spend a refresh token or a ready SAML assertion for the try; it is lost then")
	flags.BoolVar(&v.revoke, "revoke", false, "revoke the token afterwards. Not where the vendor hands out one token to all who ask with these credentials: theirs would end")
	v.addFlags(flags)
	return command
}

func (v *testVerb) run(command *cobra.Command, _ []string) error {
	if v.file == "" {
		return errors.New("which manifest? Name a file with -f, or pipe one in with -f -")
	}
	namespace, _, err := v.cluster.flags.ToRawKubeConfigLoader().Namespace()
	switch {
	case err == nil:
	case v.offline: // what the cluster is called by does not matter
		namespace = cmp.Or(*v.cluster.flags.Namespace, metav1.NamespaceDefault)
	default:
		return err
	}
	file, err := openManifest(v.file, v.In, namespace)
	if err != nil {
		return err
	}
	if len(file.tokens) == 0 {
		return errors.New("there is no OAuthToken in the file" + besides(file.others) + ": add one (`kubectl tokensync explain VENDOR --example` writes one to start from)")
	}
	if v.platform, err = v.trust.platform(); err != nil {
		return fmt.Errorf("the vendor catalogue, with --vendors-dir=%q: %w", v.vendorsDir, err)
	}
	v.vendors = oauth.NewClient(oauth.ClientOptions{
		AllowLoopback: v.allowLoopback, InsecureHTTPHosts: v.insecureHTTPHosts, Now: v.now, UserAgent: "kubectl-tokensync/" + version,
	})
	defer v.vendors.CloseIdleConnections()
	if !v.offline {
		v.connection, v.connectError = v.cluster.connect()
	}
	failed := false
	for i, token := range file.tokens {
		if i > 0 {
			_, _ = fmt.Fprintln(v.Out)
		}
		t := &trial{verb: v, token: token}
		t.run(command.Context(), file)
		t.write(v.Out, t.title())
		failed = failed || t.failed()
	}
	if failed {
		return errToldAlready
	}
	return nil
}

// besides names what else is in a file.
func besides(kinds []string) string {
	if len(kinds) == 0 {
		return ""
	}
	return ", only " + strings.Join(kinds, ", ")
}
