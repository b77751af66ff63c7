package webhooks

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	cradmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/webhook/admission/metrics"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/admission"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/logkey"
)

// patience is how long a request may take. It is less than the timeoutSeconds of the webhooks, so that the API server
// still hears why there is no answer.
const patience = 4 * time.Second

// atOnce is how many requests are judged at the same time; the others wait for their turn. The core can't be interrupted,
// so without a bound requests that took too long would pile up.
const atOnce = 4

// turns has room for those requests that are being judged.
type turns chan struct{}

func newTurns() turns { return make(turns, atOnce) }

// judge is what a webhook has to know of a kind.
type judge[T client.Object] struct {
	kind schema.GroupKind
	// guards says that a request to create or update which can't be judged is refused. Others are let through.
	guards bool
	// untilGone says that the rules hold for an object until it is gone. Others are left alone once they are deleted.
	untilGone bool
	// spec returns what of an object the rules are about.
	spec func(T) any
	// verdict judges what makes one object of another: old is nil where it is created, wanted where it is deleted.
	verdict func(ctx context.Context, old, wanted T) (admission.Verdict, error)
}

// heraldKind returns one of Herald's own kinds.
func heraldKind(name string) schema.GroupKind {
	return v1alpha1.GroupVersion.WithKind(name).GroupKind()
}

// in returns a verdict in the cluster that is read for it.
func in[T client.Object](
	read func(context.Context) (cluster.State, error), verdict func(old, wanted T, before cluster.State) admission.Verdict,
) func(ctx context.Context, old, wanted T) (admission.Verdict, error) {
	return func(ctx context.Context, old, wanted T) (admission.Verdict, error) {
		state, err := read(ctx)
		if err != nil {
			return admission.Verdict{}, err
		}
		return verdict(old, wanted, state), nil
	}
}

// validator answers the requests for a kind.
type validator[T client.Object] struct {
	judge[T]
	requests requests
	turns    turns
}

// ValidateCreate implements controller-runtime's Validator.
func (v *validator[T]) ValidateCreate(ctx context.Context, object T) (cradmission.Warnings, error) {
	var none T
	return v.answer(ctx, admissionv1.Create, none, object)
}

// ValidateUpdate implements controller-runtime's Validator. What leaves the spec as it is passes whatever state the cluster
// is in, and so does what happens to an object on its way out, such as the removal of a finalizer.
func (v *validator[T]) ValidateUpdate(ctx context.Context, old, object T) (cradmission.Warnings, error) {
	// An absent list inherits and an empty one is a value: they are not the same spec.
	same := equality.Semantic.DeepEqualWithNilDifferentFromEmpty(v.spec(old), v.spec(object))
	if same || object.GetDeletionTimestamp() != nil && !v.untilGone {
		v.requests.count(v.kind.Kind, admissionv1.Update, unjudged)
		return nil, nil
	}
	return v.answer(ctx, admissionv1.Update, old, object)
}

// ValidateDelete implements controller-runtime's Validator. It only warns.
func (v *validator[T]) ValidateDelete(ctx context.Context, object T) (cradmission.Warnings, error) {
	if object.GetDeletionTimestamp() != nil {
		v.requests.count(v.kind.Kind, admissionv1.Delete, unjudged)
		return nil, nil
	}
	var none T
	return v.answer(ctx, admissionv1.Delete, object, none)
}

// answer judges a request and puts the verdict into the API's words.
func (v *validator[T]) answer(ctx context.Context, operation admissionv1.Operation, old, object T) (cradmission.Warnings, error) {
	verdict, err := v.ask(ctx, old, object)
	subject := object
	if operation == admissionv1.Delete {
		subject = old
	}
	name := subject.GetName()
	switch {
	case err != nil:
		logf.FromContext(ctx).Error(err, "Answering without a verdict", logkey.Operation, operation)
		v.requests.count(v.kind.Kind, operation, failed)
		return v.failed(operation, name, err)
	case len(verdict.Errors) > 0 && operation != admissionv1.Delete:
		v.requests.count(v.kind.Kind, operation, refused)
		return verdict.Warnings, apierrors.NewInvalid(v.kind, name, verdict.Errors)
	case len(verdict.Warnings) > 0:
		v.requests.count(v.kind.Kind, operation, warned)
		return verdict.Warnings, nil
	default:
		v.requests.count(v.kind.Kind, operation, allowed)
		return nil, nil
	}
}

// failed answers a request that could not be judged.
func (v *validator[T]) failed(operation admissionv1.Operation, name string, err error) (cradmission.Warnings, error) {
	text := fmt.Sprintf("Herald could not check %s %q: %v", v.kind.Kind, name, err)
	if !v.guards || operation == admissionv1.Delete {
		return cradmission.Warnings{text + "; the request was let through unchecked"}, nil
	}
	if _, ok := errors.AsType[*panicError](err); ok {
		return nil, apierrors.NewInternalError(errors.New(text + "; nothing was changed"))
	}
	return nil, apierrors.NewServiceUnavailable(text + "; nothing was changed, try again in a few seconds")
}

// ask returns the verdict, or an error as soon as the context ends or patience does.
func (v *validator[T]) ask(ctx context.Context, old, object T) (admission.Verdict, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSlow)
	defer cancel()
	select {
	case v.turns <- struct{}{}:
	case <-ctx.Done():
		return admission.Verdict{}, context.Cause(ctx)
	}
	type answer struct {
		verdict admission.Verdict
		err     error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() { <-v.turns }()
		verdict, err := v.recovering(ctx, old, object)
		answers <- answer{verdict, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil && ctx.Err() != nil {
			return admission.Verdict{}, context.Cause(ctx) // The same words, whichever was seen first.
		}
		return a.verdict, a.err
	case <-ctx.Done():
		return admission.Verdict{}, context.Cause(ctx)
	}
}

// recovering returns the verdict; a panic on the way is an error.
func (v *validator[T]) recovering(ctx context.Context, old, object T) (verdict admission.Verdict, err error) {
	defer func() {
		if r := recover(); r != nil {
			crmetrics.WebhookPanics.WithLabelValues().Inc()
			logf.FromContext(ctx).Error(nil, "Recovering from a panic", logkey.Panic, r, logkey.Stack, string(debug.Stack()))
			err = &panicError{r}
		}
	}()
	return v.verdict(ctx, old, object)
}

// errSlow is why a request is answered without a verdict after patience.
var errSlow = fmt.Errorf("that took longer than %v, as when the manager has just started or is overloaded", patience)

// panicError is a bug of Herald's. Its text is for users, who can do nothing about what was said in the panic.
type panicError struct{ value any }

func (*panicError) Error() string {
	return "that hit a bug in Herald, which the manager's log tells more of"
}
