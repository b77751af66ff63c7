// Package v1alpha1 holds the types of the API group herald.network, version v1alpha1: what to peer with, what may be
// advertised, which addresses may be assigned, and what every node really does.
//
// An absent field is absent: no schema default fills it in, because overlays and fallbacks depend on the difference.
// Absent or null means "as inherited, else the default that the field's comment names"; an empty list and, where a field
// is a pointer, 0 are values. Each field of a spec ends its comment with what changing it does to live BGP sessions:
// nothing, a re-advertisement (UPDATEs on the running session), or a reset (the session is closed and opened again).
//
// +kubebuilder:object:generate=true
// +groupName=herald.network
package v1alpha1
