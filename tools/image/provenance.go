package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	provenancev1 "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

const provenanceType types.MediaType = "application/vnd.in-toto+json"

const predicateType = "https://slsa.dev/provenance/v1"

// provenance returns the SLSA provenance of an image: its commit, its builder and the build
// parameters (https://slsa.dev/spec/v1.0/provenance). It is unsigned; the publisher signs it.
func provenance(m multiImage, o *options, platforms []v1.Platform) ([]byte, error) {
	digest, err := m.index.Digest()
	if err != nil {
		return nil, fmt.Errorf("compute the digest: %w", err)
	}
	names := make([]any, len(platforms))
	for i := range platforms {
		names[i] = platforms[i].String()
	}
	parameters, err := structpb.NewStruct(map[string]any{
		"image": m.name, "platforms": names, "tags": tags, "ldflags": linkerFlags, "SOURCE_DATE_EPOCH": o.Created,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the provenance: %w", err)
	}
	slsa := &provenancev1.Provenance{
		BuildDefinition: &provenancev1.BuildDefinition{
			BuildType: o.Source + "/tree/main/tools/image", ExternalParameters: parameters,
			ResolvedDependencies: []*intoto.ResourceDescriptor{
				{Uri: "git+" + o.Source, Digest: map[string]string{"gitCommit": o.Revision}},
				{Uri: "pkg:generic/go@" + runtime.Version()[len("go"):], Name: "go"},
			},
		},
		RunDetails: &provenancev1.RunDetails{Builder: &provenancev1.Builder{Id: o.Builder}},
	}
	text, err := protojson.Marshal(slsa)
	if err != nil {
		return nil, fmt.Errorf("encode the provenance: %w", err)
	}
	predicate := new(structpb.Struct)
	if err := protojson.Unmarshal(text, predicate); err != nil {
		return nil, fmt.Errorf("encode the provenance: %w", err)
	}
	statement := &intoto.Statement{
		Type: intoto.StatementTypeUri, PredicateType: predicateType, Predicate: predicate,
		Subject: []*intoto.ResourceDescriptor{{Name: m.name, Digest: map[string]string{digest.Algorithm: digest.Hex}}},
	}
	if err := statement.Validate(); err != nil {
		return nil, fmt.Errorf("encode the provenance: %w", err)
	}
	if text, err = protojson.Marshal(statement); err != nil {
		return nil, fmt.Errorf("encode the provenance: %w", err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil { // protojson adds random spaces
		return nil, fmt.Errorf("encode the provenance: %w", err)
	}
	return out.Bytes(), nil
}
