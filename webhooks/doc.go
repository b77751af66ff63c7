// Package webhooks answers the API server's admission requests for Herald's kinds and for the externalIPs of Services.
//
// No rule lives here: each webhook decodes a request, reads the cluster out of the manager's cache, asks the core's package
// admission, and puts the verdict into the words of the API. What it can't find out it says: a webhook that guards Herald's
// kinds then refuses, one that must not stand in anybody's way lets the request through with a warning.
//
// The ValidatingWebhookConfiguration in config/webhook is generated from the markers beside each webhook, but for the
// conditions on which a request comes here.
//
// +kubebuilder:webhookconfiguration:mutating=false,name=herald-admission
package webhooks
