package removal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/logkey"
)

// Addresses says what becomes of the addresses that Herald assigned to Services.
type Addresses string

const (
	// Keep leaves the addresses where they are, as if a person had written them, and takes Herald's marks off.
	Keep Addresses = "Keep"
	// Release takes the addresses away, with the marks.
	Release Addresses = "Release"
)

// UnmarshalText reads a flag's value.
func (a *Addresses) UnmarshalText(text []byte) error {
	switch value := Addresses(text); value {
	case Keep, Release:
		*a = value
		return nil
	default:
		return fmt.Errorf("%q: want %s or %s", text, Keep, Release)
	}
}

// MarshalText is UnmarshalText's opposite.
func (a Addresses) MarshalText() ([]byte, error) { return []byte(a), nil }

// settle is how long a write is tried that an API server refuses for a webhook which is deleted already.
const settle = 10 * time.Second

// pollEvery is how often is looked whether what was deleted is gone.
const pollEvery = 500 * time.Millisecond

// Names are those by which the parts of an installation go.
type Names struct {
	// Namespace is Herald's own.
	Namespace string
	// Manager is the manager's Deployment, and its Lease; Agent is the agents' DaemonSet.
	Manager, Agent string
	// Webhooks is the ValidatingWebhookConfiguration, WebhookSecret the Secret with its certificate.
	Webhooks, WebhookSecret string
	// SecretsRole is the Role, and the RoleBinding, by which agents read passwords.
	SecretsRole string
}

// Removal takes a Herald out of a cluster.
type Removal struct {
	// Client reads from the API server itself, and knows the kinds that are removed.
	Client client.Client
	Names  Names
	// Addresses says what becomes of assigned addresses.
	Addresses Addresses
	// Patience is how long managers may take to end, and then agents to leave their routers. Those whose node is away never do:
	// they are not waited for any longer.
	Patience time.Duration
	Log      logr.Logger
}

// Run removes what there is. It goes on after a step that failed, where that does no harm, and returns all that went wrong: it
// may be run again.
func (r *Removal) Run(ctx context.Context) error {
	if err := r.expectNoOther(ctx); err != nil {
		return err
	}
	// While there is a manager it would put everything back.
	if err := r.stopManager(ctx); err != nil {
		return err
	}
	if err := r.awaitAgents(ctx); err != nil {
		return err
	}
	return errors.Join(
		r.removeAdmission(ctx),
		r.clearServices(ctx),
		r.clearPools(ctx),
		r.clearStatus(ctx),
		r.removeLeftovers(ctx),
	)
}

// expectNoOther makes sure that it is this Herald whose webhooks and marks are removed: what is in no namespace is in use as long
// as a manager runs in another one.
func (r *Removal) expectNoOther(ctx context.Context) error {
	var managers corev1.PodList
	if err := r.Client.List(ctx, &managers, labelled("manager")); err != nil {
		return fmt.Errorf("list the pods of managers: %w", err)
	}
	for i := range managers.Items {
		if namespace := managers.Items[i].Namespace; namespace != r.Names.Namespace {
			return fmt.Errorf("Herald runs in namespace %s, not in %s: remove it there, with --namespace=%s", //nolint:staticcheck // It is a name.
				namespace, r.Names.Namespace, namespace)
		}
	}
	return nil
}

// stopManager removes the manager's Deployment, and returns when none of its pods runs.
func (r *Removal) stopManager(ctx context.Context) error {
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: r.Names.Namespace, Name: r.Names.Manager}
	switch err := r.Client.Get(ctx, key, deployment); {
	case apierrors.IsNotFound(err):
		r.Log.Info("There is no manager any more")
	case err != nil:
		return fmt.Errorf("read the Deployment %s: %w", key, err)
	default:
		if isOfOLM(deployment) {
			return fmt.Errorf("the Deployment %s is kept by OLM, which would put it back: delete Herald's Subscription and "+
				"ClusterServiceVersion first, then run this again", key)
		}
		r.Log.Info("Removing the manager")
		// In the foreground it is there until its pods are gone, and tells them that they go for good.
		if err := r.remove(ctx, deployment, foreground()); err != nil {
			return err
		}
	}
	return r.awaitEnd(ctx, "manager")
}

func foreground() client.DeleteOption {
	return client.PropagationPolicy(metav1.DeletePropagationForeground)
}

// isOfOLM reports whether an operator lifecycle manager keeps an object.
func isOfOLM(object client.Object) bool {
	const ownerKind = "olm.owner.kind"
	return object.GetLabels()[ownerKind] == "ClusterServiceVersion"
}

// awaitAgents removes the agents' DaemonSet, should it not go with the manager's Deployment, and returns when all agents have
// taken leave, or the patience is over.
func (r *Removal) awaitAgents(ctx context.Context) error {
	r.Log.Info("Removing the agents, which withdraw their routes")
	agents := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: r.Names.Namespace, Name: r.Names.Agent}}
	if err := r.remove(ctx, agents, foreground()); err != nil {
		return err
	}
	return r.awaitEnd(ctx, "agent")
}

// awaitEnd returns when a component has no pod any more, or the patience is over. A manager that comes back with its node later
// finds its Deployment gone, brings nothing back, and loses its rights with what installed it.
func (r *Removal) awaitEnd(ctx context.Context, component string) error {
	var pods corev1.PodList
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, r.Patience, true, func(ctx context.Context) (bool, error) {
		last = r.Client.List(ctx, &pods, client.InNamespace(r.Names.Namespace), labelled(component))
		return last == nil && len(pods.Items) == 0, nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("wait for the end of the %s: %w", component, ctx.Err())
	case len(pods.Items) == 0:
		return fmt.Errorf("list the pods of the %s: %w", component, last)
	default:
		for i := range pods.Items {
			r.Log.Info("Going on without a pod that does not end, its node may be away",
				"component", component, "pod", pods.Items[i].Name, logkey.Node, pods.Items[i].Spec.NodeName)
		}
		return nil
	}
}

// labelled selects what belongs to a component of Herald.
func labelled(component string) client.MatchingLabels {
	return client.MatchingLabels{"app.kubernetes.io/name": "herald", "app.kubernetes.io/component": component}
}

// removeAdmission removes what the API server asks before it accepts a change.
func (r *Removal) removeAdmission(ctx context.Context) error {
	r.Log.Info("Removing webhooks and policies")
	return errors.Join(
		r.remove(ctx, &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: r.Names.Webhooks}}),
		r.removeAll(ctx, &admissionv1.ValidatingAdmissionPolicyBindingList{}, labelled("policy")),
		r.removeAll(ctx, &admissionv1.ValidatingAdmissionPolicyList{}, labelled("policy")),
	)
}

// removeLeftovers removes what manager and agents made in the course of their work.
func (r *Removal) removeLeftovers(ctx context.Context) error {
	r.Log.Info("Removing what manager and agents kept")
	named := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: r.Names.Namespace, Name: name}
	}
	own := client.InNamespace(r.Names.Namespace)
	return errors.Join(
		r.removeSecret(ctx),
		r.remove(ctx, &rbacv1.RoleBinding{ObjectMeta: named(r.Names.SecretsRole)}),
		r.remove(ctx, &rbacv1.Role{ObjectMeta: named(r.Names.SecretsRole)}),
		r.remove(ctx, &coordinationv1.Lease{ObjectMeta: named(r.Names.Manager)}),
		r.removeAll(ctx, &coordinationv1.LeaseList{}, own, labelled("agent")),
		// BGPNodes are reports, written by agents: nobody is left who keeps them true.
		r.removeAll(ctx, &v1alpha1.BGPNodeList{}),
	)
}

// removeSecret removes the Secret with the webhooks' certificate, if it is the one that the manager made: somebody else may have
// made one of that name, and mounted it.
func (r *Removal) removeSecret(ctx context.Context) error {
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: r.Names.Namespace, Name: r.Names.WebhookSecret}
	if err := r.Client.Get(ctx, key, secret); err != nil {
		return ignoreAbsent(fmt.Errorf("read the Secret %s: %w", key, err))
	}
	if labels.SelectorFromSet(labels.Set(labelled("manager"))).Matches(labels.Set(secret.Labels)) {
		return r.remove(ctx, secret)
	}
	return nil
}

// clearPools takes the finalizers off that hold pools back as long as Services have addresses of them.
func (r *Removal) clearPools(ctx context.Context) error {
	r.Log.Info("Letting go of pools")
	return r.each(ctx, &v1alpha1.ExternalIPPoolList{}, nil, func(pool client.Object) error { return r.clearPool(ctx, pool.GetName()) })
}

// clearStatus takes the reports off what users wrote, should it stay: nobody is left who keeps them true.
func (r *Removal) clearStatus(ctx context.Context) error {
	r.Log.Info("Taking the status off what users wrote")
	none := client.RawPatch(types.MergePatchType, []byte(`{"status": null}`))
	var errs []error
	for _, list := range []client.ObjectList{&v1alpha1.BGPPeerList{}, &v1alpha1.BGPConfigurationList{}, &v1alpha1.ExternalIPPoolList{}} {
		errs = append(errs, r.each(ctx, list, nil, func(object client.Object) error {
			if err := ignoreAbsent(r.Client.Status().Patch(ctx, object, none)); err != nil {
				return fmt.Errorf("take the status off %T %s: %w", object, object.GetName(), err)
			}
			return nil
		}))
	}
	return errors.Join(errs...)
}

// remove deletes an object; what it owns goes after it.
func (r *Removal) remove(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	if err := ignoreAbsent(r.Client.Delete(ctx, object, options...)); err != nil {
		return fmt.Errorf("delete %s: %w", client.ObjectKeyFromObject(object), err)
	}
	return nil
}

// removeAll deletes all objects that a list selects.
func (r *Removal) removeAll(ctx context.Context, list client.ObjectList, which ...client.ListOption) error {
	return r.each(ctx, list, which, func(object client.Object) error { return r.remove(ctx, object) })
}

// each calls do for all objects that a list selects, none where the kind is not there, and returns all that went wrong.
func (r *Removal) each(ctx context.Context, list client.ObjectList, which []client.ListOption, do func(client.Object) error) error {
	if err := r.Client.List(ctx, list, which...); err != nil {
		return ignoreAbsent(fmt.Errorf("read a %T: %w", list, err))
	}
	var errs []error
	err := meta.EachListItem(list, func(item runtime.Object) error {
		if object, ok := item.(client.Object); ok {
			errs = append(errs, do(object))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// ignoreAbsent turns into nil what says that an object, or a whole kind, is not there.
func ignoreAbsent(err error) error {
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil
	}
	return err
}
