package main

import (
	"debug/buildinfo"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const sbomType types.MediaType = "application/vnd.cyclonedx+json"

// geography is the npm package with the country database, which track embeds.
const geography = "@ip-location-db/geo-whois-asn-country-mmdb"

// sbom returns the SBOM of a program: its Go modules, Go itself, and the npm packages whose
// files it embeds.
func sbom(root, name, version, program string, created time.Time) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("read the build info of the program: %w", err)
	}
	components := []cyclonedx.Component{component("golang", "std", strings.TrimPrefix(info.GoVersion, "go"), cyclonedx.ComponentTypeLibrary)}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		components = append(components, component("golang", module.Path, module.Version, cyclonedx.ComponentTypeLibrary))
	}
	packages, err := npm(root, name)
	if err != nil {
		return nil, err
	}
	components = append(components, packages...)
	about := component("golang", info.Main.Path+"/functions/"+name, version, cyclonedx.ComponentTypeApplication)
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Timestamp: created.Format(time.RFC3339), Component: &about}
	bom.Components = &components
	return document(bom)
}

func component(kind, name, version string, componentType cyclonedx.ComponentType) cyclonedx.Component {
	steps := strings.Split(name, "/")
	for i := range steps {
		steps[i] = strings.ReplaceAll(url.PathEscape(steps[i]), "@", "%40")
	}
	purl := "pkg:" + kind + "/" + strings.Join(steps, "/") + "@" + url.PathEscape(version)
	return cyclonedx.Component{BOMRef: purl, Type: componentType, Name: name, Version: version, PackageURL: purl}
}

// lockedPackage is a package in package-lock.json.
type lockedPackage struct {
	Version      string            `json:"version"`
	Link         bool              `json:"link"`
	Resolved     string            `json:"resolved"` // for a link, its directory
	Dependencies map[string]string `json:"dependencies"`
}

// npm returns the npm packages whose files a function embeds.
func npm(root, name string) ([]cyclonedx.Component, error) {
	if name != "dashboard" && name != "track" {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Join(root, "package-lock.json"))
	if err != nil {
		return nil, fmt.Errorf("read the npm packages: %w", err)
	}
	var lock struct {
		Packages map[string]lockedPackage `json:"packages"`
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("read package-lock.json: %w", err)
	}
	found := map[string]cyclonedx.Component{}
	var add func(from, dependency string)
	add = func(from, dependency string) {
		for folder := from; ; folder = path.Dir(folder) { // in the order of Node.js
			at := path.Join(folder, "node_modules", dependency)
			if p, ok := lock.Packages[at]; ok {
				if _, ok := found[at]; ok || p.Link {
					return
				}
				found[at] = component("npm", dependency, p.Version, cyclonedx.ComponentTypeLibrary)
				for next := range p.Dependencies {
					add(at, next)
				}
				return
			}
			if folder == "." || folder == "" {
				return
			}
		}
	}
	if name == "track" {
		add("", geography)
	}
	if name == "dashboard" {
		for dependency := range lock.Packages["packages/dashboard"].Dependencies {
			add("packages/dashboard", dependency)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("package-lock.json has no package of %s", name)
	}
	var components []cyclonedx.Component
	for _, at := range slices.Sorted(maps.Keys(found)) {
		components = append(components, found[at])
	}
	return components, nil
}

// pemOf returns a root certificate in PEM. It returns nothing for a certificate with a
// constraint, which PEM can't express.
func pemOf(root bundle.Root) []byte {
	if root.Constraint != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
}
