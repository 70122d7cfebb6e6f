package metricsaccess

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"
)

// court is a judge before an API server that knows one token, "known", and lets its owner get /metrics.
type court struct {
	*fake.Clientset

	t       *testing.T
	clock   *clocktesting.FakeClock
	handler http.Handler
	away    bool
	denied  bool
}

func newCourt(t *testing.T) *court {
	t.Helper()
	c := &court{Clientset: fake.NewClientset(), t: t, clock: clocktesting.NewFakeClock(time.Now())}
	c.PrependReactor("create", "tokenreviews", func(action ktesting.Action) (bool, runtime.Object, error) {
		if c.away {
			return true, nil, errors.New("nobody answers")
		}
		review := created[*authenticationv1.TokenReview](t, action)
		if review.Spec.Token == "known" {
			review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{
				Username: "scraper", UID: "7", Groups: []string{"scrapers"}, Extra: map[string]authenticationv1.ExtraValue{"pod": {"a"}},
			}}
		}
		return true, review, nil
	})
	c.PrependReactor("create", "subjectaccessreviews", func(action ktesting.Action) (bool, runtime.Object, error) {
		review := created[*authorizationv1.SubjectAccessReview](t, action)
		asked := review.Spec
		review.Status.Allowed = asked.User == "scraper" && asked.UID == "7" && len(asked.Groups) == 1 && len(asked.Extra["pod"]) == 1 &&
			asked.NonResourceAttributes.Verb == "get" && asked.NonResourceAttributes.Path == "/metrics"
		review.Status.Denied = c.denied
		return true, review, nil
	})
	judge := newJudge(c.AuthenticationV1().TokenReviews(), c.AuthorizationV1().SubjectAccessReviews(), c.clock)
	var err error
	c.handler, err = judge.filter(logr.Discard(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func created[T runtime.Object](t *testing.T, action ktesting.Action) T {
	t.Helper()
	creation, ok := action.(ktesting.CreateAction)
	if !ok {
		t.Fatalf("%T is no creation", action)
	}
	object, ok := creation.GetObject().(T)
	if !ok {
		t.Fatalf("%T is created", creation.GetObject())
	}
	return object
}

// get is the answer to a request with an Authorization header, and how many reviews it took.
func (c *court) get(method, path, authorization string) (answer *httptest.ResponseRecorder, reviews int) {
	c.t.Helper()
	c.ClearActions()
	request := httptest.NewRequestWithContext(c.t.Context(), method, path, nil)
	request.Header.Set("Authorization", authorization)
	answer = httptest.NewRecorder()
	c.handler.ServeHTTP(answer, request)
	return answer, len(c.Actions())
}

func TestOnlyWhoMayReadMetricsReadsThem(t *testing.T) {
	for about, ask := range map[string]struct {
		method, path, authorization string
		denied                      bool
		want                        int
	}{
		"who may":                      {method: "GET", path: "/metrics", authorization: "Bearer known", want: 200},
		"in lower case":                {method: "GET", path: "/metrics", authorization: "bearer known", want: 200},
		"nobody":                       {method: "GET", path: "/metrics", want: 401},
		"an empty token":               {method: "GET", path: "/metrics", authorization: "Bearer  ", want: 401},
		"a token that nobody knows":    {method: "GET", path: "/metrics", authorization: "Bearer stolen", want: 401},
		"another scheme":               {method: "GET", path: "/metrics", authorization: "Basic known", want: 401},
		"another path":                 {method: "GET", path: "/debug", authorization: "Bearer known", want: 403},
		"another method":               {method: "POST", path: "/metrics", authorization: "Bearer known", want: 403},
		"who is denied, by a webhook":  {method: "GET", path: "/metrics", authorization: "Bearer known", denied: true, want: 403},
		"a token with a word after it": {method: "GET", path: "/metrics", authorization: "Bearer known known", want: 401},
	} {
		t.Run(about, func(t *testing.T) {
			c := newCourt(t)
			c.denied = ask.denied
			answer, _ := c.get(ask.method, ask.path, ask.authorization)
			if answer.Code != ask.want {
				t.Errorf("%d, want %d", answer.Code, ask.want)
			}
			if challenge := answer.Header().Get("WWW-Authenticate"); (challenge == "Bearer") != (ask.want == http.StatusUnauthorized) {
				t.Errorf("WWW-Authenticate: %q with %d", challenge, ask.want)
			}
		})
	}
}

func TestAnAnswerHoldsForAWhile(t *testing.T) {
	for token, c := range map[string]struct {
		holds   time.Duration
		reviews int
	}{"known": {allowedFor, 2}, "stolen": {refusedFor, 1}} {
		court := newCourt(t)
		for _, step := range []struct {
			after   time.Duration
			reviews int
		}{{0, c.reviews}, {c.holds - time.Second, 0}, {2 * time.Second, c.reviews}} {
			court.clock.Step(step.after)
			if _, reviews := court.get("GET", "/metrics", "Bearer "+token); reviews != step.reviews {
				t.Errorf("%s, %s later: %d reviews, want %d", token, step.after, reviews, step.reviews)
			}
		}
		if _, reviews := court.get("GET", "/metrics/more", "Bearer "+token); reviews != c.reviews {
			t.Errorf("%s: another path took %d reviews, want %d", token, reviews, c.reviews)
		}
	}
}

func TestAnAPIServerThatIsAwayLetsNobodyInAndIsAskedAgain(t *testing.T) {
	c := newCourt(t)
	c.away = true
	if answer, _ := c.get("GET", "/metrics", "Bearer known"); answer.Code != http.StatusInternalServerError {
		t.Errorf("%d while the API server is away, want 500", answer.Code)
	}
	c.away = false
	if answer, _ := c.get("GET", "/metrics", "Bearer known"); answer.Code != http.StatusOK {
		t.Errorf("%d afterwards, want 200", answer.Code)
	}
}
