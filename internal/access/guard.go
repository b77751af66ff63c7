package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// fresh is how long an answer that lets somebody in is not asked for again, as in controller-runtime's filter.
	fresh = time.Minute
	// lasting is how long it holds where the API server can't be asked: what agents do then is what one wants to see.
	lasting = time.Hour
	// remembered is how many answers are kept: each is of a token that may read.
	remembered = 64
	// reviewTimeout bounds one question to the API server.
	reviewTimeout = 5 * time.Second
	// reviewsPerSecond and reviewBurst bound how much work somebody without a token can make for the API server.
	reviewsPerSecond, reviewBurst = 5, 20
)

// Answer is what the API server says of a token.
type Answer struct {
	// User is the name of whose token it is; empty where it is nobody's.
	User string
	// IsAllowed says whether that user may get the path that was asked for.
	IsAllowed bool
}

// Reviewer asks the API server whose a token is, and whether they may get a path. An error means that it can't say.
type Reviewer func(ctx context.Context, token, path string) (Answer, error)

var errTooMany = errors.New("too many questions to the API server")

// guard lets requests through to a handler. Only answers that let somebody in are remembered, and outlive both an API
// server that is away and the limit on questions: so a flood of bad tokens keeps nobody out who was let in before.
type guard struct {
	next    http.Handler
	review  Reviewer
	limiter *rate.Limiter

	mu sync.Mutex
	// allowed are the answers that let somebody in, by the digest of token and path.
	allowed map[digest]given
}

type digest [sha256.Size]byte

// given is an answer and when it was given.
type given struct {
	Answer
	at time.Time
}

func newGuard(next http.Handler, review Reviewer) *guard {
	return &guard{
		next: next, review: review, allowed: map[digest]given{},
		limiter: rate.NewLimiter(reviewsPerSecond, reviewBurst),
	}
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET is served", http.StatusMethodNotAllowed)
		return
	case !found || token == "":
		unauthorized(w, "a bearer token is needed")
		return
	}
	answer, err := g.ask(r.Context(), token, r.URL.Path)
	switch {
	case errors.Is(err, errTooMany):
		http.Error(w, "too many tokens that are not known yet, try again in a second", http.StatusTooManyRequests)
	case err != nil:
		http.Error(w, "the API server can't be asked whose the token is", http.StatusServiceUnavailable)
	case answer.User == "":
		unauthorized(w, "the token is not valid")
	case !answer.IsAllowed:
		http.Error(w, answer.User+" may not get "+r.URL.Path+": it takes a ClusterRole for that nonResourceURL, such as herald-metrics-reader", http.StatusForbidden)
	default:
		g.next.ServeHTTP(w, r)
	}
}

func unauthorized(w http.ResponseWriter, why string) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(w, why, http.StatusUnauthorized)
}

// ask returns what the API server says, or said.
func (g *guard) ask(ctx context.Context, token, path string) (Answer, error) {
	key := digest(sha256.Sum256([]byte(path + "\x00" + token)))
	last, found := g.last(key)
	if found && time.Since(last.at) < fresh {
		return last.Answer, nil
	}
	answer, err := g.question(ctx, token, path)
	switch {
	case err != nil && found && time.Since(last.at) < lasting:
		return last.Answer, nil
	case err != nil:
		return Answer{}, err
	}
	g.remember(key, answer)
	return answer, nil
}

func (g *guard) question(ctx context.Context, token, path string) (Answer, error) {
	if !g.limiter.Allow() {
		return Answer{}, errTooMany
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	return g.review(ctx, token, path)
}

func (g *guard) last(key digest) (given, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	answer, found := g.allowed[key]
	return answer, found
}

// remember keeps an answer that lets somebody in, and no other. The oldest makes room for one that is new.
func (g *guard) remember(key digest, answer Answer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.allowed, key)
	if answer.User == "" || !answer.IsAllowed {
		return
	}
	if len(g.allowed) >= remembered {
		g.forgetOldest()
	}
	g.allowed[key] = given{answer, time.Now()}
}

func (g *guard) forgetOldest() {
	var oldest digest
	first := time.Now()
	for key, answer := range g.allowed {
		if !answer.at.After(first) {
			oldest, first = key, answer.at
		}
	}
	delete(g.allowed, oldest)
}
