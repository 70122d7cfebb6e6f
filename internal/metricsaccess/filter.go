// Package metricsaccess lets those read the operator's metrics whom the API server lets read them: a bearer token says who asks (TokenReview), and
// RBAC whether they may `get` the path (SubjectAccessReview).
//
// controller-runtime has a filter that does the same, and links with it the library of API servers: ten megabytes of program, which every
// replica would hold in memory for two requests a minute.
package metricsaccess

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	// allowedFor and refusedFor are how long an answer of the API server holds: a scraper asks every few seconds, and who was given the right
	// a moment ago does not wait long.
	allowedFor = time.Minute
	refusedFor = 10 * time.Second
	// remembered is how many answers are kept; those who scrape are few, and strangers must not fill the memory.
	remembered = 128
	// patience is how long the API server may take for both reviews.
	patience = 10 * time.Second
)

// Filter is a FilterProvider for controller-runtime's metrics server. Requests without a token that the API server knows are answered 401,
// those of somebody without the right 403, and 500 is said where the API server can't be asked.
// It needs the right to create tokenreviews and subjectaccessreviews.
func Filter(config *rest.Config, client *http.Client) (metricsserver.Filter, error) {
	tokens, err := authentication.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, err
	}
	access, err := authorization.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, err
	}
	return newJudge(tokens.TokenReviews(), access.SubjectAccessReviews(), clock.RealClock{}).filter, nil
}

// judge says who may read what, and remembers it for a while.
type judge struct {
	tokens   authentication.TokenReviewInterface
	access   authorization.SubjectAccessReviewInterface
	verdicts *cache.LRUExpireCache // of question: HTTP status
}

// question is who asks for what. The token itself is not kept.
type question struct {
	token      [sha256.Size]byte
	verb, path string
}

func newJudge(tokens authentication.TokenReviewInterface, access authorization.SubjectAccessReviewInterface, now cache.Clock) *judge {
	return &judge{tokens: tokens, access: access, verdicts: cache.NewLRUExpireCacheWithClock(remembered, now)}
}

func (j *judge) filter(log logr.Logger, next http.Handler) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		status, err := j.ask(ctx, bearer(r), strings.ToLower(r.Method), r.URL.Path)
		switch {
		case err != nil:
			log.Error(wordless(err), "the API server does not say who may read metrics")
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		case status == http.StatusOK:
			next.ServeHTTP(w, r)
		default:
			if status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer") // RFC 6750, section 3
			}
			http.Error(w, http.StatusText(status), status)
		}
	}), nil
}

// bearer is the token of a request (RFC 6750, section 2.1); empty: none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// ask is the HTTP status for a request: 200, 401 or 403. What could not be asked is not remembered.
func (j *judge) ask(ctx context.Context, token, verb, path string) (int, error) {
	if token == "" {
		return http.StatusUnauthorized, nil
	}
	asked := question{token: sha256.Sum256([]byte(token)), verb: verb, path: path}
	if known, ok := j.verdicts.Get(asked); ok {
		return known.(int), nil //nolint:forcetypeassert // nothing else is put
	}
	status, err := j.review(ctx, token, verb, path)
	if err != nil {
		return 0, err
	}
	holds := refusedFor
	if status == http.StatusOK {
		holds = allowedFor
	}
	j.verdicts.Add(asked, status, holds)
	return status, nil
}

func (j *judge) review(ctx context.Context, token, verb, path string) (int, error) {
	who, err := j.tokens.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !who.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user := who.Status.User
	may, err := j.access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra(user.Extra),
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: verb, Path: path},
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !may.Status.Allowed || may.Status.Denied {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}

func extra(known map[string]authenticationv1.ExtraValue) map[string]authorizationv1.ExtraValue {
	passed := make(map[string]authorizationv1.ExtraValue, len(known))
	for key, values := range known {
		passed[key] = authorizationv1.ExtraValue(values)
	}
	return passed
}

// wordless is an error without what an admission webhook says, which may quote the token that it was shown.
func wordless(err error) error {
	var answered apierrors.APIStatus
	if errors.As(err, &answered) {
		return errors.New("the API server answers " + string(apierrors.ReasonForError(err)))
	}
	return err
}
