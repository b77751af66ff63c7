package crosscheck

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/password"
	"github.com/herald-network/herald/internal/core/validate"
)

func (c *Check) peer(i int) []Finding {
	peer, spec := &c.state.Peers[i], field.NewPath("spec")
	nodes := c.rolled().byPeer[i]
	classes := c.roll.classesOf(nodes)
	var r report
	r.validated(validate.Peer(peer))
	c.problems(&r, subject{intent.KindBGPPeer, peer.Name, peer.Spec.PeerIP}, classes)
	c.peerAddress(&r, spec.Child("peerIP"), peer.Spec.PeerIP)
	c.password(&r, spec.Child("password", "secretKeyRef"), peer.Spec.Password)
	if nodes != nil && len(nodes) == 0 {
		r.warn(v1alpha1.ReasonNoNodes, c.selectsNone(spec.Child("nodeSelector"), "there is no session"))
	}
	c.multihop(&r, peer, classes)
	c.localAS(&r, peer, classes)
	c.restartTime(&r, peer, classes)
	return r
}

// selectsNone says that a selector selects no node, and what comes of it.
func (c *Check) selectsNone(at *field.Path, consequence string) *field.Error {
	err := &field.Error{Type: field.ErrorTypeInvalid, Field: at.String(), BadValue: field.OmitValueType{}}
	err.Detail = fmt.Sprintf("it selects no node, so %s until one has the labels", consequence)
	if len(c.state.Nodes) == 0 {
		err.Detail = fmt.Sprintf("there is no node in the cluster, so %s until one joins", consequence)
	}
	return err
}

// peerAddress checks that the peer is no part of the cluster, and that no block leads its traffic there.
func (c *Check) peerAddress(r *report, at *field.Path, text string) {
	address, err := validate.ParseAddress(text)
	if err != nil {
		return
	}
	if node, found := c.known().nodeOf[address]; found {
		r.invalid(v1alpha1.ReasonInvalid, field.ErrorList{field.Invalid(at, text,
			fmt.Sprintf("peerIP must be the address of a router, but it is the InternalIP of the node %q", node))})
	}
	base := c.base()
	if base == nil {
		return
	}
	// An overlay's blocks are inside the base's, or not in use.
	blocks := validate.Blocks(&base.Spec)
	i := slices.IndexFunc(blocks, func(b validate.Block) bool { return b.CIDR.Contains(address) })
	if i >= 0 {
		r.invalid(v1alpha1.ReasonInvalid, field.ErrorList{field.Invalid(at, text, fmt.Sprintf(
			"peerIP must be in no block, since the block's route would lead what is for the router itself to the nodes, "+
				"but it is in %s, which spec.%s of the BGPConfiguration %q holds: correct the address, or narrow the block",
			blocks[i].CIDR, blocks[i].List, base.Name))})
	}
}

func (c *Check) password(r *report, at *field.Path, named *v1alpha1.Password) {
	if named == nil {
		return
	}
	ref := named.SecretKeyRef
	if ref.Name == password.WebhookSecret {
		r.invalid(v1alpha1.ReasonInvalid, field.ErrorList{field.Invalid(at.Child("name"), ref.Name,
			"name must not be the Secret with the key of Herald's own webhooks, which no agent may read: create another Secret for the password")})
		return
	}
	if c.state.Secrets == nil {
		return
	}
	var found password.Found
	if secret, exists := c.state.Secrets[ref.Name]; exists {
		found = password.In(&secret, ref)
	} else {
		found = password.In(nil, ref)
	}
	fault := found.Fault(at, ref, c.state.Namespace)
	switch {
	case fault == nil:
	case found.Password.IsSet():
		r.warn(v1alpha1.ReasonValid, fault)
	default:
		r.warn(v1alpha1.ReasonSecretNotFound, fault)
	}
}

// multihop checks that a limit of eBGP sessions is set on such a session.
func (c *Check) multihop(r *report, peer *v1alpha1.BGPPeer, classes []*class) {
	if peer.Spec.EBGPMultihopTTL == 0 {
		return
	}
	internal := c.where(classes, func(of *class) bool {
		return peer.Spec.ASNumber == cmp.Or(peer.Spec.LocalASNumber, c.nodesAS(of))
	})
	if len(internal) == 0 {
		return
	}
	whose := "the nodes' own AS number"
	if peer.Spec.LocalASNumber != 0 {
		whose = "localASNumber too"
	}
	r.add(Finding{
		Error: field.Forbidden(field.NewPath("spec", "ebgpMultihopTTL"), fmt.Sprintf(
			"ebgpMultihopTTL must not be set on an iBGP session, which has no such limit, and asNumber %d, being %s, makes it one: "+
				"leave it out, or correct the AS number", peer.Spec.ASNumber, whose)),
		Reason: v1alpha1.ReasonInvalid,
		Nodes:  internal,
	})
}

// localAS warns of a localASNumber that changes nothing.
func (c *Check) localAS(r *report, peer *v1alpha1.BGPPeer, classes []*class) {
	local := peer.Spec.LocalASNumber
	if local == 0 {
		return
	}
	same := c.where(classes, func(of *class) bool { return c.nodesAS(of) == local })
	if len(same) == 0 {
		return
	}
	r.add(Finding{
		Error: field.Invalid(field.NewPath("spec", "localASNumber"), local, fmt.Sprintf(
			"%d is the nodes' own AS number, so it has no effect: leave it out if the session shall follow the nodes' number", local)),
		Reason:  v1alpha1.ReasonValid,
		Warning: true,
		Nodes:   same,
	})
}

// restartTime warns of a time for graceful restart where that is turned off.
func (c *Check) restartTime(r *report, peer *v1alpha1.BGPPeer, classes []*class) {
	restart := peer.Spec.GracefulRestart
	if restart.RestartTimeSeconds == 0 {
		return
	}
	off := c.where(classes, func(of *class) bool {
		return cmp.Or(restart.Mode, c.effectiveWith(of.overlay).GracefulRestart.Mode) == v1alpha1.Disabled
	})
	if len(off) == 0 {
		return
	}
	whose := "the nodes' BGPConfiguration"
	if restart.Mode != "" {
		whose = "the peer itself"
	}
	r.add(Finding{
		Error: field.Invalid(field.NewPath("spec", "gracefulRestart", "restartTimeSeconds"), restart.RestartTimeSeconds,
			fmt.Sprintf("it has no effect, since %s has gracefulRestart.mode Disabled: leave it out, or set mode to Enabled", whose)),
		Reason:  v1alpha1.ReasonValid,
		Warning: true,
		Nodes:   off,
	})
}

// nodesAS returns the AS number of the nodes of a class.
func (c *Check) nodesAS(of *class) int64 {
	return cmp.Or(c.effectiveWith(of.overlay).ASNumber, int64(intent.DefaultASN))
}

// where returns the nodes of those classes that match, by name.
func (c *Check) where(classes []*class, match func(*class) bool) []string {
	var nodes []int
	for _, of := range classes {
		if match(of) {
			nodes = append(nodes, of.nodes...)
		}
	}
	return c.names(nodes)
}
