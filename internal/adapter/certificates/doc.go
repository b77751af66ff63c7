// Package certificates gives the webhook server the certificate that it shows to the API server, and replaces it while the
// server runs, so that no request is refused. Managed, the manager makes the certificate and its CA itself:
//
//	leader:        rotation   makes CA and certificate  ->  Secret
//	               injection  Secret's CA               ->  caBundle of the ValidatingWebhookConfigurations
//	every replica: follower   Secret, bundles           ->  what the server shows
//
// A new CA is trusted before it is used: injection adds it to the bundles and leaves those before it in, and a follower goes
// on with the certificate that it shows until every bundle has the new one's CA. Mounted, somebody else does all that, such
// as cert-manager or OLM, and the certificate is read from files as they change.
//
// What can be used of cert-controller is used: how it makes and checks keys and certificates. Its rotator as a whole is not.
// It puts its new CA in the place of the old one in the bundles, while the API server and the other replicas still use that;
// it ends the manager when the Secret is absent at its start, and again when the Secret does not appear as files, which
// takes a kubelet up to two minutes; it leaves a deleted Secret deleted; and it reads every Secret of the namespace, values
// included, where the manager needs one.
package certificates
