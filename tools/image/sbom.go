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

// geography is the package that the table of countries is from, which track has built in.
const geography = "@ip-location-db/geo-whois-asn-country-mmdb"

// sbom lists what a program is made of: the modules that Go says are in it, Go itself, and
// the packages of npm whose files it has built in.
func sbom(root, name, version, program string, created time.Time) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("read what the program is made of: %w", err)
	}
	components := []cyclonedx.Component{part("golang", "std", strings.TrimPrefix(info.GoVersion, "go"), cyclonedx.ComponentTypeLibrary)}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		components = append(components, part("golang", module.Path, module.Version, cyclonedx.ComponentTypeLibrary))
	}
	packages, err := npm(root, name)
	if err != nil {
		return nil, err
	}
	components = append(components, packages...)
	about := part("golang", info.Main.Path+"/functions/"+name, version, cyclonedx.ComponentTypeApplication)
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Timestamp: created.Format(time.RFC3339), Component: &about}
	bom.Components = &components
	return document(bom)
}

func part(kind, name, version string, is cyclonedx.ComponentType) cyclonedx.Component {
	steps := strings.Split(name, "/")
	for i := range steps {
		steps[i] = strings.ReplaceAll(url.PathEscape(steps[i]), "@", "%40")
	}
	purl := "pkg:" + kind + "/" + strings.Join(steps, "/") + "@" + url.PathEscape(version)
	return cyclonedx.Component{BOMRef: purl, Type: is, Name: name, Version: version, PackageURL: purl}
}

// locked is a package in package-lock.json, by its folder.
type locked struct {
	Version      string            `json:"version"`
	Link         bool              `json:"link"`
	Resolved     string            `json:"resolved"` // of a link, its folder
	Dependencies map[string]string `json:"dependencies"`
}

// npm are the packages of npm that a function has files of.
func npm(root, name string) ([]cyclonedx.Component, error) {
	if name != "dashboard" && name != "track" {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Join(root, "package-lock.json"))
	if err != nil {
		return nil, fmt.Errorf("read which packages there are: %w", err)
	}
	var lock struct {
		Packages map[string]locked `json:"packages"`
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("read package-lock.json: %w", err)
	}
	found := map[string]cyclonedx.Component{}
	var add func(from, dependency string)
	add = func(from, dependency string) {
		for folder := from; ; folder = path.Dir(folder) { // as Node.js looks for it
			at := path.Join(folder, "node_modules", dependency)
			if p, ok := lock.Packages[at]; ok {
				if _, ok := found[at]; ok || p.Link {
					return
				}
				found[at] = part("npm", dependency, p.Version, cyclonedx.ComponentTypeLibrary)
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
		return nil, fmt.Errorf("package-lock.json has none of the packages that are in %s", name)
	}
	var components []cyclonedx.Component
	for _, at := range slices.Sorted(maps.Keys(found)) {
		components = append(components, found[at])
	}
	return components, nil
}

// pemOf is an authority as a file of certificates has it; nothing of one that is trusted
// under conditions, which such a file can't say.
func pemOf(root bundle.Root) []byte {
	if root.Constraint != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
}
