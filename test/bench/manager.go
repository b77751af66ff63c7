package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Herald's own namespace, what is in it, and where a manager serves its metrics.
const (
	heraldNamespace = "herald-system"
	managerName     = "herald-manager"
	managerPort     = 8443
)

// manager is one replica of the manager.
type manager struct {
	pod, node string
	address   netip.Addr
}

// leader returns the replica that leads.
func (r *rack) leader(ctx context.Context) (manager, error) {
	var lease coordinationv1.Lease
	if err := r.api.Get(ctx, client.ObjectKey{Namespace: heraldNamespace, Name: managerName}, &lease); err != nil {
		return manager{}, err
	}
	name := podOf(holder(&lease))
	if name == "" {
		return manager{}, errors.New("no manager leads")
	}
	var pod corev1.Pod
	if err := r.api.Get(ctx, client.ObjectKey{Namespace: heraldNamespace, Name: name}, &pod); err != nil {
		return manager{}, err
	}
	address, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil {
		return manager{}, fmt.Errorf("address of the manager %s: %w", name, err)
	}
	return manager{pod: name, node: pod.Spec.NodeName, address: address}, nil
}

func holder(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// podOf returns the name of the pod that an identity in a Lease is of.
func podOf(identity string) string {
	name, _, _ := strings.Cut(identity, "_")
	return name
}

// settleManager returns what a manager tells once it is at rest.
func (r *rack) settleManager(ctx context.Context, m manager) (metrics, error) {
	told, err := settle(ctx, func(ctx context.Context) (metrics, error) {
		return get(ctx, r.scrapers, "https://"+netip.AddrPortFrom(m.address, managerPort).String()+"/metrics")
	})
	if err != nil {
		return nil, fmt.Errorf("wait until the manager %s is at rest: %w", m.pod, err)
	}
	return told, nil
}

// expectManagers returns when every replica of the manager is ready.
func (r *rack) expectManagers(ctx context.Context) error {
	_, err := r.Kubectl(ctx, "-n", heraldNamespace, "rollout", "status", "deployment/"+managerName, "--timeout=60s")
	return err
}
