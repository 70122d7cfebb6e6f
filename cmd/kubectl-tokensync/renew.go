package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// renewVerb is one run of the verb.
type renewVerb struct {
	session
	selection

	dryRun  dryRun
	wait    bool
	timeout time.Duration
}

func newRenewCommand(s session) *cobra.Command {
	v := &renewVerb{session: s}
	command := &cobra.Command{
		Use: "renew (NAME... | -l SELECTOR | --all)", Short: "Ask for a new token now, and wait for it",
		Long: "Ask the operator for a new token now, by the annotation " + v1alpha1.RenewRequestedAtAnnotation + ", and tell what came of it. Pods keep the\n" +
			"present token until the new one is there; a renewal that fails takes nothing from them.\n\n" +
			"Exit status: 0 all were renewed, or asked for with --wait=false; 1 one was not.",
		Example:           "  kubectl tokensync renew orders\n  kubectl tokensync renew -l team=shop --timeout=5m\n  kubectl tokensync renew --all --dry-run",
		ValidArgsFunction: s.cluster.complete(0),
		RunE:              v.run,
	}
	flags := command.Flags()
	v.addFlags(flags)
	v.dryRun.addFlag(flags)
	flags.BoolVar(&v.wait, "wait", true, "wait for the outcome")
	flags.DurationVar(&v.timeout, "timeout", 2*time.Minute, "how long to wait, for all together")
	return command
}

func (v *renewVerb) run(command *cobra.Command, names []string) error {
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
	wishes, failed := v.ask(command.Context(), connected, tokens)
	if v.wait && v.dryRun.keeps() && len(wishes) > 0 && !v.awaitAll(command.Context(), connected, wishes) {
		failed = true
	}
	if failed {
		return errToldAlready
	}
	return nil
}

// ask writes the annotation on each OAuthToken that can be renewed.
func (v *renewVerb) ask(ctx context.Context, c *connection, tokens []v1alpha1.OAuthToken) (wishes map[types.UID]wish, failed bool) {
	wishes = map[types.UID]wish{}
	value := v.now().UTC().Format(time.RFC3339Nano)
	for i := range tokens {
		token := &tokens[i]
		if why := obstacle(token); why != "" {
			v.say("%s can't be renewed now: %s", v.shown(token), why)
			failed = true
			continue
		}
		if v.dryRun != dryRunClient {
			written := sameName(token)
			if err := c.Patch(ctx, written, renewPatch(token, value), v.dryRun.patchOptions()...); err != nil {
				v.say("%s: %v", v.shown(token), err)
				failed = true
				continue
			}
			token = written
		}
		wishes[token.UID] = wish{value: value, before: token}
		if !v.wait || !v.dryRun.keeps() {
			v.say("%s: renewal asked for%s", v.shown(token), v.dryRun.suffix())
		}
	}
	return wishes, failed
}

// renewPatch sets the annotation and nothing else, on that very object. No other field manager minds: none states it.
func renewPatch(token *v1alpha1.OAuthToken, value string) client.Patch {
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": token.UID, "annotations": map[string]string{v1alpha1.RenewRequestedAtAnnotation: value},
	}})
	if err != nil {
		panic("maps of strings do not encode") // json.Marshal fails on no value of these types
	}
	return client.RawPatch(types.MergePatchType, text)
}

// awaitAll waits for what comes of wishes, and tells it. It returns whether all came true.
func (v *renewVerb) awaitAll(ctx context.Context, c *connection, wishes map[types.UID]wish) bool {
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	var matching []client.ListOption
	if !v.allNamespaces {
		matching = append(matching, client.InNamespace(c.namespace))
	}
	if len(v.names) == 1 {
		matching = append(matching, itself(v.names[0]))
	}
	known, changes := c.watch(ctx, &v1alpha1.OAuthToken{}, &v1alpha1.OAuthTokenList{}, matching...)
	defer changes.Stop()
	isListed := ctx.Err() == nil
	fine, latest := !isListed || !v.dropDeleted(wishes, known), map[types.UID]*v1alpha1.OAuthToken{}
	for len(wishes) > 0 {
		select {
		case <-ctx.Done():
			v.tellLate(wishes, latest)
			return false
		case change := <-changes.ResultChan():
			if token, ok := change.Object.(*v1alpha1.OAuthToken); ok {
				latest[token.UID] = token
				fine = v.settle(wishes, token, change.Type == watch.Deleted) != failed && fine
			}
		}
	}
	return fine
}

// settle tells what came of a wish, if that can be told by now.
func (v *renewVerb) settle(wishes map[types.UID]wish, token *v1alpha1.OAuthToken, deleted bool) ending {
	wanted, ok := wishes[token.UID]
	if !ok {
		return undecided
	}
	ends, said := wanted.look(token, v.now())
	if deleted {
		ends, said = failed, "not renewed: it was deleted"
	}
	if ends != undecided {
		delete(wishes, token.UID)
		v.say("%s %s", v.shown(token), said)
	}
	return ends
}

// dropDeleted drops the wishes of OAuthTokens that are gone, and tells whether there were any.
func (v *renewVerb) dropDeleted(wishes map[types.UID]wish, known cache.Indexer) bool {
	there := map[types.UID]bool{}
	for _, object := range known.List() {
		if token, ok := object.(*v1alpha1.OAuthToken); ok {
			there[token.UID] = true
		}
	}
	dropped := false
	for uid, wanted := range wishes {
		if !there[uid] {
			v.say("%s not renewed: it was deleted", v.shown(wanted.before))
			delete(wishes, uid)
			dropped = true
		}
	}
	return dropped
}

// tellLate tells of the wishes of which nothing came in time.
func (v *renewVerb) tellLate(wishes map[types.UID]wish, latest map[types.UID]*v1alpha1.OAuthToken) {
	var lines []string
	for uid, wanted := range wishes {
		token := latest[uid]
		if token == nil {
			token = wanted.before
		}
		lines = append(lines, fmt.Sprintf("%s %s", v.shown(token), wanted.late(token, v.now())))
	}
	slices.Sort(lines)
	for _, line := range lines {
		v.say("%s", line)
	}
}
