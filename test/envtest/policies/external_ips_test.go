package policies_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/config/policies"
	"github.com/herald-network/herald/test/envtest/apiserver"
)

const (
	denied = `Error from server (Forbidden): services "web" is forbidden: ValidatingAdmissionPolicy 'herald-external-ips-deny' ` +
		"with binding 'herald-external-ips-deny' denied request: "
	warned = "Warning: Validation failed for ValidatingAdmissionPolicy 'herald-external-ips-warn' with binding 'herald-external-ips-warn': "
	advice = ", where no node advertises it: use addresses inside those blocks, or have a block added to " +
		"spec.serviceExternalIPs of BGPConfiguration default\n"
	done = "service/web serverside-applied\n"
)

// rack is a cluster with the policies.
type rack struct {
	*WithT

	t      *testing.T
	server *apiserver.Server
}

func newRack(t *testing.T, featureGates ...string) rack {
	t.Helper()
	r := rack{NewWithT(t), t, apiserver.Start(t, featureGates...)}
	for _, manifest := range policies.Manifests(namespace) {
		r.server.MustKubectl(t, manifest, "apply", "-f", "-")
	}
	return r
}

// configure makes the spec that of BGPConfiguration default. The API server takes a moment to judge by it.
func (r rack) configure(spec string) {
	r.t.Helper()
	manifest := fmt.Sprintf("{apiVersion: herald.network/v1alpha1, kind: BGPConfiguration, metadata: {name: default}, spec: %s}", spec)
	if _, err := r.server.Kubectl(r.t, manifest, "create", "-f", "-"); err != nil {
		r.server.MustKubectl(r.t, manifest, "replace", "-f", "-")
	}
}

// own leaves out of what kubectl prints what the API server itself warns of about externalIPs and their notation.
func own(output string) string {
	lines := slices.DeleteFunc(strings.SplitAfter(output, "\n"), func(line string) bool {
		return strings.HasPrefix(line, "Warning: spec.externalIPs")
	})
	return strings.Join(lines, "")
}

// web returns a Service with externalIPs.
func web(externalIPs ...string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}], externalIPs: [%s]}}",
		"'"+strings.Join(externalIPs, "','")+"'")
}

// apply applies a Service and returns what kubectl prints.
func (r rack) apply(service string, flags ...string) string {
	r.t.Helper()
	output, _ := r.server.Kubectl(r.t, service, append([]string{"apply", "--server-side", "-f", "-"}, flags...)...)
	return own(output)
}

// judges waits until a Service that has no externalIP yet is answered with the text.
func (r rack) judges(service, text string) {
	r.t.Helper()
	r.Eventually(func() string { return r.apply(service, "--dry-run=server") }).WithTimeout(30 * time.Second).Should(Equal(text))
}

const dryRun = "service/web serverside-applied (server dry run)\n"

func TestExternalIPPolicy(t *testing.T) {
	r := newRack(t)
	const inside, outside = "192.168.3.7", "10.0.0.1"
	refusal := denied + "spec.externalIPs adds 10.0.0.1 outside the blocks that BGPConfiguration default allows (192.168.3.0/24)" + advice
	warning := warned + "spec.externalIPs adds 10.0.0.1 outside the blocks that BGPConfiguration default allows (192.168.3.0/24)" + advice
	none := strings.NewReplacer("192.168.3.0/24", "none")

	// What a configuration says in the end, step by step; a text that is waited for tells that it is in force.
	r.configure("{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}")
	r.judges(web(outside), refusal)
	r.judges(web(inside), dryRun)
	r.judges(web(inside, outside), refusal)
	r.configure("{serviceExternalIPs: [{cidr: 192.168.3.0/24}], externalIPPolicy: Warn}")
	r.judges(web(outside), warning+dryRun)
	r.judges(web(inside), dryRun)
	r.configure("{serviceExternalIPs: [{cidr: 192.168.3.0/24}], externalIPPolicy: Ignore}")
	r.judges(web(outside), dryRun)
	r.configure("{serviceExternalIPs: [{cidr: 192.168.3.0/24}], externalIPPolicy: Enforce}")
	r.judges(web(outside), refusal)
	r.configure("{externalIPPolicy: Enforce}")
	r.judges(web(outside), none.Replace(refusal))
	r.configure("{externalIPPolicy: Warn, serviceExternalIPs: null}")
	r.judges(web(outside), none.Replace(warning)+dryRun)
	r.configure("{serviceExternalIPs: null}")
	r.judges(web(outside), dryRun)
	r.configure("{serviceExternalIPs: []}")
	r.judges(web(outside), none.Replace(refusal))
	r.configure("{}")
	r.judges(web(outside), dryRun)
	r.configure("{serviceExternalIPs: []}")
	r.judges(web(outside), none.Replace(refusal))
	r.server.MustKubectl(t, "", "delete", "bgpconfiguration", "default")
	r.judges(web(outside), dryRun)
}

func TestOnlyAddedExternalIPsAreJudged(t *testing.T) {
	r := newRack(t)
	r.Expect(r.apply(web("10.0.0.1", "2001:db8:0::1"))).To(ContainSubstring(done))
	r.configure("{serviceExternalIPs: [{cidr: 192.168.3.0/24}, {cidr: 'fd00:3::/64'}]}")
	other := strings.ReplaceAll(web("10.0.0.2"), "web", "other")
	r.Eventually(func() string { return r.apply(other, "--dry-run=server") }).WithTimeout(30 * time.Second).Should(ContainSubstring("denied"))

	kubectl := func(args ...string) string {
		output, _ := r.server.Kubectl(t, "", args...)
		return own(output)
	}
	r.Expect(kubectl("label", "service", "web", "a=b")).To(Equal("service/web labeled\n"))
	r.Expect(kubectl("patch", "service", "web", "-p", `{"spec":{"sessionAffinity":"ClientIP"}}`)).To(Equal("service/web patched\n"))
	r.Expect(kubectl("patch", "service", "web", "--subresource=status", "-p", `{"status":{"loadBalancer":{}}}`)).NotTo(ContainSubstring("Error"))
	for name, row := range map[string]struct{ addresses, want string }{
		"another order":           {`["2001:db8:0::1","10.0.0.1"]`, "service/web patched\n"},
		"another notation":        {`["10.0.0.1","2001:db8::1"]`, "service/web patched\n"},
		"one inside is added":     {`["10.0.0.1","2001:db8:0::1","192.168.3.9","fd00:3::9"]`, "service/web patched\n"},
		"one is taken away":       {`["10.0.0.1"]`, "service/web patched\n"},
		"one outside is added":    {`["10.0.0.1","10.0.0.3"]`, "adds 10.0.0.3 outside the blocks that BGPConfiguration default allows (192.168.3.0/24, fd00:3::/64)"},
		"one outside is replaced": {`["10.0.0.3","2001:db8:0::1"]`, "adds 10.0.0.3 outside"},
		"one beside a block":      {`["fd00:3:0:1::9"]`, "adds fd00:3:0:1::9 outside"},
	} {
		t.Run(name, func(t *testing.T) {
			got := kubectl("patch", "service", "web", "--dry-run=server", "-p", `{"spec":{"externalIPs":`+row.addresses+`}}`)
			NewWithT(t).Expect(got).To(ContainSubstring(row.want))
		})
	}
	r.Expect(kubectl("patch", "service", "web", "-p", `{"spec":{"externalIPs":null}}`)).To(Equal("service/web patched\n"))
	r.Expect(kubectl("patch", "service", "web", "-p", `{"spec":{"externalIPs":["10.0.0.1"]}}`)).To(ContainSubstring("adds 10.0.0.1 outside"),
		"what was taken away is added again")
}

// Long lists are told of in short, and judged within the API server's budget; more than that is refused, never let pass.
func TestManyExternalIPs(t *testing.T) {
	r := newRack(t)
	r.Expect(r.apply(web(addresses(0, 800)...))).To(ContainSubstring(done))
	blocks := make([]string, 64)
	for i := range blocks {
		blocks[i] = fmt.Sprintf("{cidr: '2001:db8:1111:2222:3333:4444:5555:%x00/120'}", 0x10+i)
	}
	r.configure("{serviceExternalIPs: [" + strings.Join(blocks, ", ") + "]}")
	allowed := "2001:db8:1111:2222:3333:4444:5555:1000/120, 2001:db8:1111:2222:3333:4444:5555:1100/120, " +
		"2001:db8:1111:2222:3333:4444:5555:1200/120, 2001:db8:1111:2222:3333:4444:5555:1300/120, " +
		"2001:db8:1111:2222:3333:4444:5555:1400/120 and 59 more"
	other := strings.NewReplacer("web", "other")
	outside := other.Replace(denied) + "spec.externalIPs adds 10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 and 495 more outside the blocks " +
		"that BGPConfiguration default allows (" + allowed + ")" + advice
	r.judges(other.Replace(web(addresses(0, 500)...)), outside)
	tooMany := denied + "spec.externalIPs has %d addresses, more than the %d that admission can judge at once: spread them over several Services\n"
	r.judges(other.Replace(web(addresses(0, 501)...)), other.Replace(fmt.Sprintf(tooMany, 501, 500)))

	label, _ := r.server.Kubectl(t, "", "label", "service", "web", "a=b")
	r.Expect(label).To(ContainSubstring("labeled"))
	r.judges(web(addresses(1, 800)...), fmt.Sprintf(tooMany, 800, 312))
	r.judges(web(addresses(500, 300)...), dryRun)
	r.judges(web(addresses(501, 300)...), denied+"spec.externalIPs adds 10.0.3.32 outside the blocks that BGPConfiguration default allows ("+allowed+")"+advice)
}

// addresses returns count addresses from the index-th on, none of them in a block.
func addresses(index, count int) []string {
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf("10.0.%d.%d", (index+i)/256, (index+i)%256)
	}
	return list
}

// An API server that is not strict takes notations that kube-proxy reads but the policies don't: they are no way out.
func TestUnreadableExternalIPs(t *testing.T) {
	r := newRack(t, "StrictIPCIDRValidation=false")
	r.Expect(r.apply(web("010.0.0.1"))).To(ContainSubstring(done))
	r.configure("{serviceExternalIPs: [{cidr: 192.168.3.0/24}]}")
	other := strings.NewReplacer("web", "other")
	for _, address := range []string{"192.168.003.007", "::ffff:192.168.3.7", "::ffff:10.0.0.1"} {
		r.judges(other.Replace(web(address)), other.Replace(denied)+"spec.externalIPs adds "+address+
			" outside the blocks that BGPConfiguration default allows (192.168.3.0/24)"+advice)
	}
	r.judges(web("010.0.0.1", "192.168.3.7"), dryRun)
	r.Expect(r.apply(web("one"))).To(ContainSubstring(`spec.externalIPs[0]: Invalid value: "one"`), "the API server speaks for itself")
}

// Once the kind of the parameter is gone, as where Herald is being removed, Services are as they were without Herald.
func TestServicesOutliveHerald(t *testing.T) {
	r := newRack(t)
	r.configure("{serviceExternalIPs: []}")
	r.Eventually(func() string { return r.apply(web("10.0.0.1"), "--dry-run=server") }).WithTimeout(30 * time.Second).Should(ContainSubstring("denied"))
	r.server.MustKubectl(t, "", "delete", "crd", "bgpconfigurations.herald.network")
	r.Eventually(func() string { return r.apply(web("10.0.0.1")) }).WithTimeout(30 * time.Second).Should(Equal(done))
}
