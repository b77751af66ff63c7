// Package logkey names the keys of log records, so that one thing has one key in every program of Herald.
package logkey

// The keys. Objects of Kubernetes go by their kind, with klog.KObj or a name as the value.
const (
	Address              = "address"
	Configuration        = "BGPConfiguration"
	DaemonSet            = "DaemonSet"
	Diff                 = "diff"
	Directory            = "directory"
	File                 = "file"
	Input                = "input"
	Message              = "message"
	Node                 = "Node"
	NotAfter             = "notAfter"
	Object               = "object"
	Operation            = "operation"
	Panic                = "panic"
	Peer                 = "BGPPeer"
	Pool                 = "ExternalIPPool"
	Reason               = "reason"
	Secret               = "Secret"
	Service              = "Service"
	Stack                = "stack"
	State                = "sessionState"
	Version              = "version"
	WebhookConfiguration = "ValidatingWebhookConfiguration"
)
