//go:build load

package soak

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/fleet"
	"tokensync.dev/tokensync/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const space = "soak"

const (
	// faulty is the share of answers that fail.
	faulty = 0.10
	// slow is the share of answers that are slow, beside those that fail.
	slow = 0.01
)

func setting(t *testing.T, name, otherwise string) string {
	t.Helper()
	value := cmp.Or(os.Getenv(name), otherwise)
	t.Logf("%s=%s", name, value)
	return value
}

func number(t *testing.T, name, otherwise string) int {
	t.Helper()
	n, err := strconv.Atoi(setting(t, name, otherwise))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func TestNothingIsLostOverTime(t *testing.T) {
	n, seed := number(t, "SOAK_TOKENS", "1000"), uint64(number(t, "SOAK_SEED", "1"))
	length, err := time.ParseDuration(setting(t, "SOAK_TIME", "10m"))
	if err != nil {
		t.Fatalf("SOAK_TIME: %v", err)
	}
	dice := rand.New(rand.NewPCG(seed, 0))
	cluster := fleet.StartCluster(t)
	vendor := fleet.StartVendor(t, 20*time.Millisecond, oauthtest.WithSeed(seed), oauthtest.WithHistory(0), oauthtest.WithLongMemory())
	cluster.Namespace(space)
	targets, uses := cluster.Follow(space), cluster.FollowUses(space)
	lives, pauses := make([]time.Duration, n), map[string]time.Duration{}
	for i := range lives {
		lives[i] = time.Duration(20+dice.IntN(281)) * time.Second
		if held(i) {
			lives[i] = time.Duration(20+dice.IntN(41)) * time.Second
			pauses[fleet.ID(space, fleet.Name(i))] = lives[i] * 3 / 5
		}
	}
	cluster.Each(0, n, func(ctx context.Context, i int) error {
		switch {
		case seeded(i):
			return cluster.DeclareSeeded(ctx, space, vendor, i, lives[i])
		case held(i):
			return cluster.DeclareApart(ctx, space, vendor, i, lives[i])
		}
		return cluster.Declare(ctx, space, vendor, i, lives[i])
	})
	c := &chaos{cluster: cluster, vendor: vendor, dice: dice, counts: map[string]int{}}
	c.start()
	c.start()
	takeBack := fail(vendor, pauses)
	quiet, slamming := make(chan struct{}), sync.WaitGroup{}
	slamming.Go(func() { c.slam(rand.New(rand.NewPCG(seed, 1)), quiet) })
	c.run(time.Now().Add(length * 2 / 3))
	leaks(t, c, length/3)
	close(quiet)
	slamming.Wait()
	for _, undo := range takeBack {
		undo()
	}
	judge(t, n, c, targets, uses, pauses)
}

// seeded are those OAuthTokens that live on refresh tokens, each of which can be used once.
func seeded(i int) bool { return i%5 == 0 }

// held are those that the vendor asks now and then for a pause beyond their short life: a renewal is due at half of it, and the pause is longer
// than the other half. Each has an endpoint of its own, since two clients that are to wait are an endpoint that is to be waited for.
func held(i int) bool { return i%10 == 3 }

// fail lets the vendor fail in all the ways that mend themselves. Those that a person must mend are the fault matrix's. Whom it asks for a long
// pause it fails otherwise half as often, so that all have the same share of failures.
func fail(v *fleet.Vendor, pauses map[string]time.Duration) (takeBack []func()) {
	faults := []oauthtest.Fault{
		oauthtest.Drop(), oauthtest.DropUnread(), oauthtest.DropMidAnswer(), oauthtest.AfterActing(oauthtest.Drop()),
		oauthtest.Status(http.StatusInternalServerError, "text/plain", "no"), oauthtest.Status(http.StatusBadGateway, "text/html", "<p>no"),
		oauthtest.TooManyRequests(oauthtest.InSeconds(2)), oauthtest.Unavailable(oauthtest.InSeconds(2)),
		oauthtest.HTMLPage(), oauthtest.EmptyBody(), oauthtest.HalfJSON(), oauthtest.HugeBody(2 << 20),
		oauthtest.Redirect(http.StatusFound, "https://sign-in.example.com/"), oauthtest.WithoutMember("access_token"),
		oauthtest.Member("token_type", `"mac"`), oauthtest.OAuthError("server_error"), oauthtest.OAuthError("temporarily_unavailable"),
	}
	for id, pause := range pauses {
		fault := oauthtest.TooManyRequests(oauthtest.InSeconds(int(pause.Seconds())))
		takeBack = append(takeBack,
			v.Fail(oauthtest.Match{ClientID: id}, fault, oauthtest.Probability(faulty/2)),
			v.Fail(oauthtest.Match{ClientID: id}, oauthtest.Fault{}, oauthtest.Probability(0.5))) // none, nor one of those below
	}
	for _, fault := range faults {
		takeBack = append(takeBack, v.Fail(oauthtest.Match{}, fault, oauthtest.Probability(faulty/float64(len(faults)))))
	}
	return append(takeBack, v.Fail(oauthtest.Match{}, oauthtest.Slow(slowness), oauthtest.Probability(slow)))
}

// leaks compares what a manager holds soon after its start with what it holds later.
func leaks(t *testing.T, c *chaos, length time.Duration) {
	t.Helper()
	for i := range c.managers {
		began, before := time.Now(), c.holder()
		c.managers[i].Stop()
		c.managers[i] = c.cluster.RunManager(c.vendor)
		c.awaitLeader(before, began)
	}
	leader := c.leader()
	time.Sleep(min(30*time.Second, length/3))
	held := func() (goroutines float64, files int, memory fleet.Memory) {
		return leader.Value("go_goroutines"), leader.Files(), leader.Settled(5 * time.Second)
	}
	goroutines, files, memory := held()
	time.Sleep(length)
	moreGoroutines, moreFiles, moreMemory := held()
	t.Logf("after %s more: %.0f goroutines (%.0f before), %d open files (%d before), %s (%s before)", length,
		moreGoroutines, goroutines, moreFiles, files, moreMemory, memory)
	if moreGoroutines > goroutines+50 {
		t.Errorf("goroutines went from %.0f to %.0f", goroutines, moreGoroutines)
	}
	if moreFiles > files+20 {
		t.Errorf("open files went from %d to %d", files, moreFiles)
	}
	if moreMemory.Own > 1.3*memory.Own+10 {
		t.Errorf("memory went from %s to %s", memory, moreMemory)
	}
}

// judge waits until all is as it should be, and goes through the books.
func judge(t *testing.T, n int, c *chaos, targets *fleet.Targets, uses *fleet.Uses, pauses map[string]time.Duration) {
	t.Helper()
	var b *books
	harness.Within(t, 10*time.Minute, 2*time.Second, func() string {
		b = newBooks(c.vendor, c, refreshTokens(t, c), pauses, uses.All())
		return unsettled(c, b)
	})
	for _, m := range c.managers { // nothing is spent while the books are gone through
		m.Stop()
	}
	b = newBooks(c.vendor, c, refreshTokens(t, c), pauses, uses.All())
	replaced, inPeace := targets.Replaced(), 0
	late := 0
	for _, r := range replaced {
		if r.At.After(r.Token.ExpiresAt.Add(slack)) {
			late++
		}
		if complaint := b.expiredInPeace(r); complaint != "" {
			inPeace++
			t.Error(complaint)
		}
	}
	for id, served := range targets.All() {
		if _, owner := c.vendor.OwnerOf(served.AccessToken); owner != id {
			t.Errorf("%s holds a token of %q", id, owner)
		}
	}
	lost := lostRefreshTokens(t, n, b)
	t.Logf("%d renewals, %d token requests; %d tokens expired before they were replaced, %d of them without a reason; of %d refresh tokens %d were lost by "+
		"a spoilt answer or a kill, none otherwise; new connections were reset %d times; managers: %v",
		len(replaced), c.vendor.Asked(), late, inPeace, (n+4)/5, lost, len(b.away), c.counts)
}

// refreshTokens are those that are kept, by ID.
func refreshTokens(t *testing.T, c *chaos) map[string]string {
	t.Helper()
	var list corev1.SecretList
	if err := c.cluster.List(context.Background(), &list, client.InNamespace(space), client.MatchingLabels{v1alpha1.RoleLabel: v1alpha1.RoleState}); err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{}
	for i := range list.Items {
		kept[fleet.ID(space, strings.TrimSuffix(list.Items[i].Name, v1alpha1.StateSecretSuffix))] = string(list.Items[i].Data["refresh_token"])
	}
	return kept
}

// unsettled tells what is not yet as it should end: with a good token, or, where a refresh token had to be lost, with a person being asked.
func unsettled(c *chaos, b *books) string {
	var list v1alpha1.OAuthTokenList
	if err := c.cluster.List(context.Background(), &list, client.InNamespace(space)); err != nil {
		return err.Error()
	}
	for i := range list.Items {
		token := &list.Items[i]
		id, ready := fleet.ID(space, token.Name), meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady)
		switch {
		case ready == nil:
			return token.Name + " has no condition"
		case ready.Status == "True" && token.Status.ExpiresAt != nil && token.Status.ExpiresAt.After(time.Now().Add(-slack)):
		case b.isLost(id) && b.hadToBeLost(id) && meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionStalled):
		default:
			return token.Name + ": " + string(ready.Status) + " " + ready.Reason + ": " + ready.Message
		}
	}
	return ""
}

// lostRefreshTokens counts the refresh tokens that are good no more, and complains of those that had no reason to go.
func lostRefreshTokens(t *testing.T, n int, b *books) (lost int) {
	t.Helper()
	for i := range n {
		id := fleet.ID(space, fleet.Name(i))
		if !seeded(i) || !b.isLost(id) {
			continue
		}
		lost++
		if _, isKept := b.stored[id]; !isKept || !b.hadToBeLost(id) {
			t.Errorf("the refresh token of %s was lost: %v", id, b.requests[id])
		}
	}
	return lost
}
