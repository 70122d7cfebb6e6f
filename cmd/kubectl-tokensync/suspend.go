package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// suspendVerb is one run of suspend or resume.
type suspendVerb struct {
	session
	selection

	suspend bool
	dryRun  dryRun
	force   bool
}

func newSuspendCommand(s session) *cobra.Command {
	return (&suspendVerb{session: s, suspend: true}).command(&cobra.Command{
		Use: "suspend (NAME... | -l SELECTOR | --all)", Short: "Stop requests for tokens: the present ones serve until they end",
		Long: "Set spec.suspend: the operator asks the vendor for nothing until `resume`. The token that pods have stays good until it ends.\n\n" +
			aboutOwnership,
		Example: "  kubectl tokensync suspend orders\n  kubectl tokensync suspend -l vendor=acme -A --dry-run",
	})
}

func newResumeCommand(s session) *cobra.Command {
	return (&suspendVerb{session: s}).command(&cobra.Command{
		Use: "resume (NAME... | -l SELECTOR | --all)", Short: "Let tokens be requested again",
		Long:    "Take back spec.suspend. What is due is renewed at once.\n\n" + aboutOwnership,
		Example: "  kubectl tokensync resume orders\n  kubectl tokensync resume --all",
	})
}

// aboutOwnership is what both verbs say of other field managers.
const aboutOwnership = "spec.suspend is written by server-side apply under the field manager " + fieldManager + ", so what delivers the manifest from Git\n" +
	"neither sees a difference nor undoes it, as long as the manifest says nothing of spec.suspend. Where it does, that counts, and the verb\n" +
	"says so.\n\nExit status: 0 all are as wanted, also those that were before; 1 one is not."

func (v *suspendVerb) command(command *cobra.Command) *cobra.Command {
	command.ValidArgsFunction, command.RunE = v.cluster.complete(0), v.run
	flags := command.Flags()
	v.addFlags(flags)
	v.dryRun.addFlag(flags)
	flags.BoolVar(&v.force, "force-conflicts", false, "take spec.suspend over from who states it now")
	return command
}

func (v *suspendVerb) run(command *cobra.Command, names []string) error {
	v.names = names
	if err := v.check(); err != nil {
		return err
	}
	connected, err := v.cluster.connect()
	if err != nil {
		return err
	}
	tokens, err := v.find(command.Context(), connected)
	if err != nil {
		return err
	}
	if len(tokens) == 0 {
		v.sayNone(connected, v.ErrOut)
		return nil
	}
	failed := false
	for i := range tokens {
		token := &tokens[i]
		said, err := v.change(command.Context(), connected, token)
		if err != nil {
			said, failed = fmt.Sprintf("not changed: %v", err), true
		}
		v.say("%s %s", v.shown(token), said)
	}
	if failed {
		return errToldAlready
	}
	return nil
}

// change brings one OAuthToken to what is wanted, and says what was done.
func (v *suspendVerb) change(ctx context.Context, c *connection, token *v1alpha1.OAuthToken) (said string, err error) {
	if token.Spec.Suspend == v.suspend {
		if v.suspend {
			return "is suspended already" + served(token, v.now()), nil
		}
		return "is not suspended", nil
	}
	owners := suspendOwners(token)
	delivered := slices.DeleteFunc(slices.Clone(owners), func(o owner) bool { return !o.delivers })
	if len(delivered) > 0 && !v.force {
		return "", errors.New(statedElsewhere(delivered))
	}
	if v.dryRun != dryRunClient {
		if err := v.apply(ctx, c, token, len(owners) > 0); err != nil {
			return "", err
		}
	}
	if v.suspend {
		return "suspended" + v.dryRun.suffix() + served(token, v.now()), nil
	}
	return "resumed" + v.dryRun.suffix(), nil
}

// apply states spec.suspend, or states it no more, on that very object. From others it has to be taken over.
func (v *suspendVerb) apply(ctx context.Context, c *connection, token *v1alpha1.OAuthToken, takeOver bool) error {
	spec := map[string]any{}
	if v.suspend || takeOver {
		spec["suspend"] = v.suspend
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion().String(), "kind": "OAuthToken",
		"metadata": map[string]any{"name": token.Name, "namespace": token.Namespace, "uid": token.UID},
		"spec":     spec,
	})
	if err != nil {
		return err
	}
	options := append(v.dryRun.patchOptions(), client.FieldOwner(fieldManager))
	if takeOver {
		options = append(options, client.ForceOwnership)
	}
	written := sameName(token)
	err = c.Patch(ctx, written, client.RawPatch(types.ApplyPatchType, text), options...)
	switch {
	case apierrors.IsConflict(err):
		return fmt.Errorf("it was changed at the same moment: try again (%w)", err)
	case err != nil:
		return err
	case written.Spec.Suspend != v.suspend:
		return errors.New(statedElsewhere(suspendOwners(written)))
	}
	return nil
}

// served tells how long the present token serves.
func served(token *v1alpha1.OAuthToken, now time.Time) string {
	if end := token.Status.ExpiresAt; end != nil && end.After(now) {
		return "; its token ends " + moment(now, end)
	}
	return ""
}
