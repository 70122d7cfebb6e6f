// Package xmlsec asks xmlsec1, which shares no code with us, about the signatures of assertions. It is for tests.
package xmlsec

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Verify fails unless an assertion in a document is signed by the key of a certificate (PEM), and tells what xmlsec1 said. It fails too
// where xmlsec1 is missing, so that nobody believes it was heard.
func Verify(ctx context.Context, document, certificate []byte) error {
	folder, err := os.MkdirTemp("", "tokensync-xmlsec-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	judged, trusted := filepath.Join(folder, "document.xml"), filepath.Join(folder, "certificate.pem")
	for path, content := range map[string][]byte{judged: document, trusted: certificate} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	command := exec.CommandContext(ctx, "xmlsec1", "--verify", "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion", //nolint:gosec // both are files made above
		"--trusted-pem", trusted, judged)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("xmlsec1 (Debian: apt-get install xmlsec1): %w: %s", err, out)
	}
	return nil
}
