package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// errAttention is that a report was given, and that something in it is not well. It says nothing more than the report.
var errAttention = errors.New("something needs attention")

// statusVerb is one run of the verb.
type statusVerb struct {
	session
	selection
}

func newStatusCommand(s session) *cobra.Command {
	v := &statusVerb{session: s}
	command := &cobra.Command{
		Use: "status [NAME]", Args: cobra.MaximumNArgs(1), Short: "Tell how tokens stand, and what to do where something is wrong",
		Long: "Tell all that is known of one token: how long it lives, when it is renewed, the refresh token behind it, the last failure and what to do\n" +
			"about it, and events. Without NAME: how the tokens of the namespace stand, and which of them need somebody.\n\n" +
			"Exit status: 0 all is well; 2 a token is missing, can't be renewed, or needs somebody to authorize; 1 nothing could be found out.",
		Example:           "  kubectl tokensync status\n  kubectl tokensync status orders -n shop\n  kubectl tokensync status -A -l team=shop",
		ValidArgsFunction: s.cluster.complete(1),
		RunE:              v.run,
	}
	v.addListFlags(command.Flags())
	return command
}

func (v *statusVerb) run(command *cobra.Command, names []string) error {
	if len(names) > 0 && (v.selector != "" || v.allNamespaces) {
		return errors.New("NAME excludes -l and -A: keep one")
	}
	connected, err := v.cluster.connect()
	if err != nil {
		return err
	}
	now := v.now()
	if len(names) == 1 {
		token, err := connected.find(command.Context(), names[0])
		if err != nil {
			return err
		}
		report(v.Out, token, connected.events(command.Context(), token), now)
		return attention([]v1alpha1.OAuthToken{*token}, now)
	}
	tokens, err := v.list(command.Context(), connected)
	if err != nil {
		return err
	}
	if len(tokens) == 0 {
		v.sayNone(connected, v.ErrOut)
		return nil
	}
	byUrgency(tokens, now)
	place := fmt.Sprintf("Namespace %s", connected.namespace)
	if v.allNamespaces {
		place = "All namespaces"
	}
	summarize(v.Out, place, tokens, v.shown, now)
	return attention(tokens, now)
}

// attention is errAttention where a token is not well; nil: all are.
func attention(tokens []v1alpha1.OAuthToken, now time.Time) error {
	for i := range tokens {
		if judge(&tokens[i], now).grade != good {
			return errAttention
		}
	}
	return nil
}
