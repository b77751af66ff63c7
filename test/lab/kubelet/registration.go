package kubelet

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"runtime"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// registration keeps the Node and its Lease.
type registration struct {
	client kubernetes.Interface
	config Config
	log    logr.Logger
}

// register makes the Node, or takes the one that is there, and returns its pod ranges once it has some. It tries until
// the context is over.
func (r *registration) register(ctx context.Context) ([]netip.Prefix, error) {
	for {
		ranges, err := r.tryRegister(ctx)
		if len(ranges) > 0 {
			return ranges, nil
		}
		if err != nil {
			r.log.V(1).Info("Registering the node failed", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("register node %s: %w", r.config.NodeName, context.Cause(ctx))
		case <-time.After(retryPeriod):
		}
	}
}

func (r *registration) tryRegister(ctx context.Context) ([]netip.Prefix, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	nodes := r.client.CoreV1().Nodes()
	present, err := nodes.Get(ctx, r.config.NodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		present, err = nodes.Create(ctx, newNode(r.config), metav1.CreateOptions{})
	}
	if err != nil {
		return nil, err
	}
	if err := r.setStatus(ctx, readyCondition(corev1.ConditionTrue, "KubeletReady", "the lab's kubelet runs")); err != nil {
		return nil, err
	}
	ranges := make([]netip.Prefix, 0, len(present.Spec.PodCIDRs))
	for _, text := range present.Spec.PodCIDRs {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("podCIDRs of node %s: %w", r.config.NodeName, err)
		}
		ranges = append(ranges, prefix)
	}
	return ranges, nil
}

// keep renews the Lease and the status until the context is over, and then says that the node is not ready any more.
func (r *registration) keep(ctx context.Context) {
	ticker := time.NewTicker(heartbeatPeriod)
	defer ticker.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			r.leave(context.WithoutCancel(ctx))
			return
		case <-ticker.C:
		case <-retry.C:
		}
		if err := r.beat(ctx); err != nil && ctx.Err() == nil {
			r.log.V(1).Info("Renewing the node's lease failed", "error", err.Error())
			retry.Reset(retryPeriod)
		}
	}
}

func (r *registration) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := r.setStatus(ctx, readyCondition(corev1.ConditionFalse, "KubeletStopped", "the lab's kubelet was stopped")); err != nil {
		r.log.V(1).Info("Saying that the node is not ready failed", "error", err.Error())
	}
}

func (r *registration) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := r.renew(ctx); err != nil {
		return err
	}
	return r.setStatus(ctx, readyCondition(corev1.ConditionTrue, "KubeletReady", "the lab's kubelet runs"))
}

func (r *registration) renew(ctx context.Context) error {
	leases := r.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	now, seconds := metav1.NowMicro(), int32(leaseDuration/time.Second)
	lease, err := leases.Get(ctx, r.config.NodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: r.config.NodeName}}
		lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &r.config.NodeName, LeaseDurationSeconds: &seconds, RenewTime: &now}
		_, err = leases.Create(ctx, lease, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = &r.config.NodeName, &seconds, &now
	_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

// setStatus writes the node's whole status with the given Ready condition, whose transition time it keeps where the
// condition does not change. As in a kubelet, a status that says nothing new is written every statusPeriod only: the Lease
// is there for the rest, and everybody watches Nodes.
func (r *registration) setStatus(ctx context.Context, ready corev1.NodeCondition) error {
	nodes := r.client.CoreV1().Nodes()
	present, err := nodes.Get(ctx, r.config.NodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	now := metav1.Now()
	next := nodeStatus(present.Status, r.config, ready, now)
	if equality.Semantic.DeepEqual(present.Status, withoutNews(next, present.Status, now)) {
		return nil
	}
	present.Status = next
	_, err = nodes.UpdateStatus(ctx, present, metav1.UpdateOptions{})
	return err
}

func newNode(c Config) *corev1.Node {
	labels := map[string]string{
		corev1.LabelHostname:   c.NodeName,
		corev1.LabelOSStable:   runtime.GOOS,
		corev1.LabelArchStable: runtime.GOARCH,
	}
	maps.Copy(labels, c.Labels)
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: c.NodeName, Labels: labels}}
	for _, r := range c.PodCIDRs {
		n.Spec.PodCIDRs = append(n.Spec.PodCIDRs, r.String())
	}
	if len(n.Spec.PodCIDRs) > 0 {
		n.Spec.PodCIDR = n.Spec.PodCIDRs[0]
	}
	return n
}

// withoutNews returns the next status with the present heartbeat times where those are of less than statusPeriod ago.
func withoutNews(next, present corev1.NodeStatus, now metav1.Time) corev1.NodeStatus {
	next = *next.DeepCopy()
	for i := range min(len(next.Conditions), len(present.Conditions)) {
		if beat := present.Conditions[i].LastHeartbeatTime; now.Sub(beat.Time) < statusPeriod {
			next.Conditions[i].LastHeartbeatTime = beat
		}
	}
	return next
}

func readyCondition(status corev1.ConditionStatus, reason, message string) corev1.NodeCondition {
	return corev1.NodeCondition{Type: corev1.NodeReady, Status: status, Reason: reason, Message: message}
}

// nodeStatus returns what the node says of itself. Conditions of others are left alone.
func nodeStatus(present corev1.NodeStatus, c Config, ready corev1.NodeCondition, now metav1.Time) corev1.NodeStatus {
	next := *present.DeepCopy()
	next.Addresses = nil
	for _, ip := range c.Addresses {
		next.Addresses = append(next.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip.String()})
	}
	next.Addresses = append(next.Addresses, corev1.NodeAddress{Type: corev1.NodeHostName, Address: c.NodeName})
	next.Capacity = corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("16"),
		corev1.ResourceMemory: resource.MustParse("64Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
	}
	next.Allocatable = next.Capacity
	next.NodeInfo.KubeletVersion = "v0.0.0-lab"
	next.NodeInfo.OperatingSystem, next.NodeInfo.Architecture = runtime.GOOS, runtime.GOARCH
	next.NodeInfo.OSImage, next.NodeInfo.ContainerRuntimeVersion = "network namespace", "lab://0"
	conditions := []corev1.NodeCondition{ready}
	for _, t := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure} {
		conditions = append(conditions, corev1.NodeCondition{Type: t, Status: corev1.ConditionFalse, Reason: "NotMeasured"})
	}
	for _, condition := range conditions {
		next.Conditions = withCondition(next.Conditions, condition, now)
	}
	return next
}

func withCondition(list []corev1.NodeCondition, c corev1.NodeCondition, now metav1.Time) []corev1.NodeCondition {
	c.LastHeartbeatTime, c.LastTransitionTime = now, now
	for i := range list {
		if list[i].Type != c.Type {
			continue
		}
		if list[i].Status == c.Status {
			c.LastTransitionTime = list[i].LastTransitionTime
		}
		list[i] = c
		return list
	}
	return append(list, c)
}
