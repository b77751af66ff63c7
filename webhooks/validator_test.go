package webhooks

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	cradmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/webhook/admission/metrics"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/admission"
)

func peer(change func(*v1alpha1.BGPPeer)) *v1alpha1.BGPPeer {
	p := &v1alpha1.BGPPeer{
		TypeMeta:   metav1.TypeMeta{APIVersion: "herald.network/v1alpha1", Kind: "BGPPeer"},
		ObjectMeta: metav1.ObjectMeta{Name: "tor"},
		Spec:       v1alpha1.BGPPeerSpec{PeerIP: "192.168.1.1", ASNumber: 64512},
	}
	change(p)
	return p
}

func asItWas(*v1alpha1.BGPPeer)       {}
func toAnotherAS(p *v1alpha1.BGPPeer) { p.Spec.ASNumber = 64513 }

// verdicts returns a webhook for BGPPeers with a core of the test's own.
func verdicts(t *testing.T, verdict func(ctx context.Context, old, wanted *v1alpha1.BGPPeer) (admission.Verdict, error)) (*cradmission.Webhook, requests) {
	t.Helper()
	judge, counters := peers((&world{}).source()), newRegistered(t)
	judge.verdict = verdict
	return hook(newScheme(t), counters, newTurns(), judge), counters
}

var (
	badAddress = field.Invalid(field.NewPath("spec", "peerIP"), "192.168.1.11", "must not be the address of node-1")
	badAS      = field.Invalid(field.NewPath("spec", "asNumber"), 64513, "must not be this")
)

func TestAVerdictIsPutIntoTheWordsOfTheAPI(t *testing.T) {
	warnings := []string{"spec.nodeSelector: selects no node"}
	for name, row := range map[string]struct {
		operation   admissionv1.Operation
		old, object client.Object
		verdict     admission.Verdict
		allowed     bool
		causes      []string
		result      result
	}{
		"a create is let in":    {admissionv1.Create, nil, peer(asItWas), admission.Verdict{}, true, nil, allowed},
		"a create is warned of": {admissionv1.Create, nil, peer(asItWas), admission.Verdict{Warnings: warnings}, true, nil, warned},
		"a create is refused for all that is wrong": {
			admissionv1.Create, nil, peer(asItWas),
			admission.Verdict{Errors: field.ErrorList{badAddress, badAS}, Warnings: warnings},
			false,
			[]string{
				`spec.peerIP: Invalid value: "192.168.1.11": must not be the address of node-1`,
				`spec.asNumber: Invalid value: 64513: must not be this`,
			},
			refused,
		},
		"an update is refused": {
			admissionv1.Update, peer(asItWas), peer(toAnotherAS),
			admission.Verdict{Errors: field.ErrorList{badAS}},
			false,
			[]string{`spec.asNumber: Invalid value: 64513: must not be this`},
			refused,
		},
		"a delete is never refused": {
			admissionv1.Delete, peer(asItWas), nil, admission.Verdict{Errors: field.ErrorList{badAS}, Warnings: warnings}, true, nil, warned,
		},
	} {
		t.Run(name, func(t *testing.T) {
			webhook, counters := verdicts(t, func(_ context.Context, old, wanted *v1alpha1.BGPPeer) (admission.Verdict, error) {
				if (old == nil) != (row.old == nil) || (wanted == nil) != (row.object == nil) {
					t.Errorf("the core was asked about %v and %v", old, wanted)
				}
				return row.verdict, nil
			})
			answer := send(t, webhook, review(t, row.operation, row.old, row.object))
			if answer.Allowed != row.allowed || answer.UID != "7" {
				t.Errorf("allowed is %v with UID %q: %+v", answer.Allowed, answer.UID, answer.Result)
			}
			if diff := cmp.Diff(row.verdict.Warnings, answer.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			checkInvalid(t, answer, row.causes)
			if got := value(t, counters.WithLabelValues("BGPPeer", string(row.operation), string(row.result))); got != 1 {
				t.Errorf("%v requests are counted as %s", got, row.result)
			}
		})
	}
}

// checkInvalid checks that an answer is what the API server gives for an object that its own rules refuse: kubectl then
// prints the causes under the name of the object.
func checkInvalid(t *testing.T, answer *admissionv1.AdmissionResponse, causes []string) {
	t.Helper()
	if causes == nil {
		return
	}
	if answer.Result.Code != 422 || answer.Result.Reason != metav1.StatusReasonInvalid {
		t.Errorf("refused with %d %s, want 422 Invalid", answer.Result.Code, answer.Result.Reason)
	}
	details := answer.Result.Details
	if details == nil || details.Kind != "BGPPeer" || details.Group != "herald.network" || details.Name != "tor" {
		t.Fatalf("the details are %+v", details)
	}
	var got []string
	for _, cause := range details.Causes {
		got = append(got, cause.Field+": "+cause.Message)
	}
	if diff := cmp.Diff(causes, got); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
}

// What changes nothing that a rule is about passes whatever state the cluster is in.
func TestWhatChangesNoSpecIsNotJudged(t *testing.T) {
	leaving := func(p *v1alpha1.BGPPeer) {
		p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		p.Finalizers = []string{"example.org/wait"}
	}
	left := func(p *v1alpha1.BGPPeer) { leaving(p); toAnotherAS(p); p.Finalizers = nil }
	labelled := func(p *v1alpha1.BGPPeer) { p.Labels = map[string]string{"a": "b"}; p.Generation = 9 }
	for name, row := range map[string]struct {
		operation   admissionv1.Operation
		old, object client.Object
		judged      bool
	}{
		"a label changes":        {admissionv1.Update, peer(asItWas), peer(labelled), false},
		"a finalizer goes":       {admissionv1.Update, peer(leaving), peer(left), false},
		"it is deleted again":    {admissionv1.Delete, peer(leaving), nil, false},
		"the spec changes":       {admissionv1.Update, peer(asItWas), peer(toAnotherAS), true},
		"it is deleted for good": {admissionv1.Delete, peer(asItWas), nil, true},
		"it is created":          {admissionv1.Create, nil, peer(asItWas), true},
	} {
		t.Run(name, func(t *testing.T) {
			var judged bool
			webhook, _ := verdicts(t, func(context.Context, *v1alpha1.BGPPeer, *v1alpha1.BGPPeer) (admission.Verdict, error) {
				judged = true
				return admission.Verdict{}, nil
			})
			answer := send(t, webhook, review(t, row.operation, row.old, row.object))
			if !answer.Allowed || len(answer.Warnings) > 0 {
				t.Errorf("the answer is %+v", answer)
			}
			if judged != row.judged {
				t.Errorf("judged is %v", judged)
			}
		})
	}
}

// An absent list of blocks inherits and an empty one allows nothing, so to make one of the other is a change.
func TestAnEmptyListIsNotAnAbsentOne(t *testing.T) {
	overlay := func(blocks []v1alpha1.Block) *v1alpha1.BGPConfiguration {
		return &v1alpha1.BGPConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "rack-a"},
			Spec:       v1alpha1.BGPConfigurationSpec{ServiceExternalIPs: blocks},
		}
	}
	w := &world{broken: errors.New("this is judged")}
	webhook := hooks(newScheme(t), w.source(), newRegistered(t))[configurationPath]
	for name, row := range map[string]struct {
		old, object []v1alpha1.Block
		judged      bool
	}{
		"absent to empty":  {nil, []v1alpha1.Block{}, true},
		"empty to absent":  {[]v1alpha1.Block{}, nil, true},
		"absent to absent": {nil, nil, false},
		"empty to empty":   {[]v1alpha1.Block{}, []v1alpha1.Block{}, false},
	} {
		answer := send(t, webhook, review(t, admissionv1.Update, overlay(row.old), overlay(row.object)))
		if judged := !answer.Allowed; judged != row.judged {
			t.Errorf("%s: judged is %v", name, judged)
		}
	}
}

func TestWhatCannotBeJudged(t *testing.T) {
	unsynced := func(context.Context, *v1alpha1.BGPPeer, *v1alpha1.BGPPeer) (admission.Verdict, error) {
		return admission.Verdict{}, errors.New("read *v1.NodeList from the cache: the cache is not started")
	}
	buggy := func(context.Context, *v1alpha1.BGPPeer, *v1alpha1.BGPPeer) (admission.Verdict, error) {
		panic("a bug")
	}
	slow := func(ctx context.Context, _, _ *v1alpha1.BGPPeer) (admission.Verdict, error) {
		<-ctx.Done()
		return admission.Verdict{}, ctx.Err()
	}
	stuck := func(context.Context, *v1alpha1.BGPPeer, *v1alpha1.BGPPeer) (admission.Verdict, error) {
		<-time.After(2 * patience) // It can't be interrupted.
		return admission.Verdict{}, nil
	}
	const tooLong = "that took longer than 4s, as when the manager has just started or is overloaded"
	for name, row := range map[string]struct {
		verdict func(ctx context.Context, old, wanted *v1alpha1.BGPPeer) (admission.Verdict, error)
		why     string
		code    int32
		then    string
		takes   time.Duration
	}{
		"the cache is not there yet": {
			unsynced, "read *v1.NodeList from the cache: the cache is not started", 503, "; nothing was changed, try again in a few seconds", 0,
		},
		"the cache keeps it waiting": {slow, tooLong, 503, "; nothing was changed, try again in a few seconds", patience},
		"the core does":              {stuck, tooLong, 503, "; nothing was changed, try again in a few seconds", patience},
		"the core panics":            {buggy, "that hit a bug in Herald, which the manager's log tells more of", 500, "; nothing was changed", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				webhook, counters := verdicts(t, row.verdict)
				panics := value(t, crmetrics.WebhookPanics.WithLabelValues())
				start := time.Now()
				answer := send(t, webhook, review(t, admissionv1.Update, peer(asItWas), peer(toAnotherAS)))
				if took := time.Since(start); took != row.takes {
					t.Errorf("the answer took %v, want %v", took, row.takes)
				}
				want := `Herald could not check BGPPeer "tor": ` + row.why + row.then
				if answer.Allowed || answer.Result.Code != row.code || strings.TrimPrefix(answer.Result.Message, "Internal error occurred: ") != want {
					t.Errorf("an update is answered with %+v", answer.Result)
				}
				answer = send(t, webhook, review(t, admissionv1.Delete, peer(asItWas), nil))
				want = `Herald could not check BGPPeer "tor": ` + row.why + "; the request was let through unchecked"
				if !answer.Allowed || !slices.Equal(answer.Warnings, []string{want}) {
					t.Errorf("a delete is answered with %+v", answer)
				}
				if got := value(t, counters.WithLabelValues("BGPPeer", "UPDATE", "failed")); got != 1 {
					t.Errorf("%v updates are counted as failed", got)
				}
				counted := value(t, crmetrics.WebhookPanics.WithLabelValues()) - panics
				if counted > 0 != (row.code == 500) {
					t.Errorf("%v panics are counted", counted)
				}
				<-time.After(2 * patience)
			})
		})
	}
}

// A core that takes its time does not let requests pile up: those without a turn are answered too, and the turns come back.
func TestRequestsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		webhook, _ := verdicts(t, func(context.Context, *v1alpha1.BGPPeer, *v1alpha1.BGPPeer) (admission.Verdict, error) {
			if now := running.Add(1); now > most.Load() {
				most.Store(now)
			}
			<-time.After(patience + time.Second)
			running.Add(-1)
			return admission.Verdict{}, nil
		})
		answers := make(chan *admissionv1.AdmissionResponse)
		for range 3 * atOnce {
			go func() { answers <- send(t, webhook, review(t, admissionv1.Create, nil, peer(asItWas))) }()
		}
		start := time.Now()
		for range 3 * atOnce {
			if answer := <-answers; answer.Allowed {
				t.Errorf("the answer is %+v", answer)
			}
		}
		if took := time.Since(start); took != patience {
			t.Errorf("the answers took %v", took)
		}
		<-time.After(2 * patience)
		if most.Load() != atOnce {
			t.Errorf("%d requests were judged at the same time, want %d", most.Load(), atOnce)
		}
	})
}

func TestARequestThatNobodyWaitsForIsDropped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	judge := peers((&world{}).source())
	judge.verdict = func(ctx context.Context, _, _ *v1alpha1.BGPPeer) (admission.Verdict, error) {
		cancel()
		<-ctx.Done()
		return admission.Verdict{}, ctx.Err()
	}
	v := &validator[*v1alpha1.BGPPeer]{judge: judge, requests: newRegistered(t), turns: newTurns()}
	if _, err := v.ValidateCreate(ctx, peer(asItWas)); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("the answer is %v", err)
	}
}

// Each kind is judged in the cluster that the cache has; one that can't be read stands in the way of Herald's kinds only.
func TestAnUnreadableCacheGuardsHeraldsKindsOnly(t *testing.T) {
	w := &world{broken: errors.New("the cache is not started")}
	hooks := hooks(newScheme(t), w.source(), newRegistered(t))
	service := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec:       corev1.ServiceSpec{ExternalIPs: []string{"192.168.3.180"}},
	}
	for path, row := range map[string]struct {
		object  client.Object
		allowed bool
	}{
		peerPath:          {peer(asItWas), false},
		configurationPath: {&v1alpha1.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, false},
		poolPath:          {&v1alpha1.ExternalIPPool{ObjectMeta: metav1.ObjectMeta{Name: "pool"}}, false},
		servicePath:       {service, true},
	} {
		answer := send(t, hooks[path], review(t, admissionv1.Create, nil, row.object))
		if answer.Allowed != row.allowed {
			t.Errorf("%s: the answer is %+v", path, answer)
		}
		said := strings.Join(append(answer.Warnings, answer.Result.Message), "")
		if !strings.Contains(said, "the cache is not started") {
			t.Errorf("%s: nothing says why: %q", path, said)
		}
	}
}
