package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// billOfMaterials lists what is in an image, in CycloneDX: its programs for each platform, and the modules that each of them
// was linked from, as the programs themselves say. It says nothing of when and where it was made: the same image has the same
// list.
func billOfMaterials(p product, r release, image v1.Hash, parts []built) ([]byte, error) {
	whole := imageComponent(p, r, image)
	var (
		applications []cdx.Component
		modules      = map[string]cdx.Component{}
		dependencies []cdx.Dependency
		contains     []string
	)
	for _, part := range parts {
		for _, b := range part.binaries {
			application := applicationOf(b, part.platform)
			applications = append(applications, application)
			contains = append(contains, application.BOMRef)
			linked := modulesOf(b)
			maps.Copy(modules, linked)
			dependencies = append(dependencies, dependency(application.BOMRef, slices.Sorted(maps.Keys(linked))))
		}
	}
	components := applications
	for _, ref := range slices.Sorted(maps.Keys(modules)) {
		components = append(components, modules[ref])
	}
	dependencies = append([]cdx.Dependency{dependency(whole.BOMRef, contains)}, dependencies...)

	bom := cdx.NewBOM()
	bom.SerialNumber = serialNumber(image)
	bom.Metadata = &cdx.Metadata{Timestamp: r.created(), Component: &whole}
	bom.Components, bom.Dependencies = &components, &dependencies
	var out bytes.Buffer
	// The version that scanners have understood for long.
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// serialNumber is a UUID of the image: of version 8, which leaves to us what it is made from.
func serialNumber(image v1.Hash) string {
	id := sha256.Sum256([]byte(image.String()))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

func imageComponent(p product, r release, image v1.Hash) cdx.Component {
	return cdx.Component{
		BOMRef:  "image",
		Type:    cdx.ComponentTypeContainer,
		Name:    p.repository,
		Version: r.version,
		PackageURL: fmt.Sprintf("pkg:oci/%s@%s%%3A%s?repository_url=%s&tag=%s",
			path.Base(p.repository), image.Algorithm, image.Hex, p.repository, r.version),
		Hashes:   &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: image.Hex}},
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: licenses}}},
		ExternalReferences: &[]cdx.ExternalReference{
			{Type: cdx.ERTypeVCS, URL: source, Comment: "commit " + r.commit},
		},
	}
}

func applicationOf(b binary, platform v1.Platform) cdx.Component {
	return cdx.Component{
		BOMRef:  b.program + " for " + platform.String(),
		Type:    cdx.ComponentTypeApplication,
		Name:    b.program,
		Version: b.version,
		Hashes:  &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: b.sha256()}},
		Properties: &[]cdx.Property{
			{Name: "herald:path", Value: "/" + b.path},
			{Name: "herald:platform", Value: platform.String()},
		},
	}
}

// modulesOf returns what a program was linked from, by reference: its modules, and the standard library.
func modulesOf(b binary) map[string]cdx.Component {
	modules := map[string]cdx.Component{}
	add := func(module, version, sum string) {
		c := cdx.Component{
			Type:       cdx.ComponentTypeLibrary,
			Name:       module,
			Version:    version,
			PackageURL: "pkg:golang/" + module + "@" + strings.ReplaceAll(version, "+", "%2B"),
		}
		c.BOMRef = c.PackageURL
		if sum != "" {
			c.Properties = &[]cdx.Property{{Name: "herald:go.sum", Value: sum}}
		}
		modules[c.BOMRef] = c
	}
	add("stdlib", strings.TrimPrefix(b.info.GoVersion, "go"), "")
	from := b.info.Deps
	if b.info.Main.Sum != "" { // Somebody else's program, from a module that was published.
		from = append(slices.Clone(from), &b.info.Main)
	}
	for _, module := range from {
		linked := replaced(module)
		add(linked.Path, linked.Version, linked.Sum)
	}
	return modules
}

// replaced returns the module that stands in for another one, by a replace directive.
func replaced(module *debug.Module) *debug.Module {
	for module.Replace != nil {
		module = module.Replace
	}
	return module
}

func dependency(of string, on []string) cdx.Dependency {
	return cdx.Dependency{Ref: of, Dependencies: &on}
}
