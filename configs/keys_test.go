package configs

import (
	"slices"
	"strings"
	"testing"
)

// changed are values for keys of a suite, unlike those of the suite below.
var changed = map[string]string{
	"backbones": "{dino: other}", "segmenter": "other", "name": "other", "title": "other", "doc": "other",
	"model": "other", "models": "[other, another]", "task": "explain",
	"grow": "true", "metrics": "[aAcc]", "panels": "9", "seed": "9", "resamples": "9",
	"datasets": "[{name: d, split: other}]", "methods": "[{k: {x: 1}}]", "protocol": "sclip",
}

// Keys that change no record: names and texts for people, what only scoring reads, and networks, which are known by
// their weights. All others do, whatever is added.
var personal, scoring = []string{"name", "title", "doc", "panels", "grow"}, []string{"model", "models", "backbones",
	"segmenter", "metrics", "seed", "resamples"}

// Every key of a suite, of a data set and of a protocol changes what a run is known by, or is listed above as one that
// does not.
func TestEveryKeyIsPartOfTheIdentity(t *testing.T) {
	const base = "datasets: [{name: d}]\nmethods: [k]\nprotocol: {base: clip-surgery}\n"
	parse := func(text string) *Suite {
		t.Helper()
		s, err := Parse("s.yaml", []byte(text), Known{Methods: map[string][]string{"k": {"x"}}})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return s
	}
	before := parse(base)
	check := func(what string, after *Suite, result, record bool) {
		t.Helper()
		if (before.Fingerprint() != after.Fingerprint()) != result {
			t.Errorf("%s changes the suite's fingerprint: %v, want %v", what, !result, result)
		}
		if (before.RecordsFingerprint() != after.RecordsFingerprint()) != record {
			t.Errorf("%s changes the records' fingerprint: %v, want %v", what, !record, record)
		}
	}
	for _, f := range suiteFields {
		value, ok := changed[f.key]
		if !ok {
			t.Errorf("key %s has no value in this test", f.key)
			continue
		}
		var lines []string
		for line := range strings.Lines(base) {
			if !strings.HasPrefix(line, f.key+": ") {
				lines = append(lines, line)
			}
		}
		text := strings.Join(append(lines, f.key+": "+value+"\n"), "")
		person := slices.Contains(personal, f.key)
		check(f.key, parse(text), !person, !person && !slices.Contains(scoring, f.key))
	}
	for _, f := range datasetFields {
		if f.key == "name" {
			continue
		}
		value := map[string]string{"limit": "3", "ignore": "7"}[f.key]
		for _, v := range []string{value, "true", "words.txt", "e.yaml"} {
			text := strings.Replace(base, "{name: d}", "{name: d, "+f.key+": "+v+"}", 1)
			after, err := Parse("s.yaml", []byte(text), Known{})
			if v == "" || err != nil {
				continue
			}
			place := slices.Contains([]string{"root", "regions", "title"}, f.key) // masks are known by what they are
			check("datasets."+f.key, after, !place, !place && f.key != "limit")
			value = v
			break
		}
		if value == "" {
			t.Errorf("key datasets.%s takes no value of this test", f.key)
		}
	}
	values := map[string]string{
		"resize": "short-side", "size": "100", "long": "64",
		"multiple": "16, resize: short-side", "filter": "bilinear", "mean": "imagenet",
		"window": "64, stride: 32", "stride": "9, window: 64", "pad": "patch",
		"positions": "bicubic", "templates": "none", "queries": "words", "redundant": "none", "scale": "50",
		"threshold":      "0.1",
		"area_threshold": "0.1", "point_threshold": "0.7", "point_shrink": "3", "max_points": "4", "map_threshold": "0.4",
		"background_rule": "margin", "aliases": "lse", "alias_tau": "2, aliases: lse",
		"alias_temperature": "0.3, aliases: lse", "vocabulary": "oracle", "experts": "e.yaml",
		"pamr": "2", "sam_refine": "0.1",
		"ending": "resize-minmax", "decode_resize": "bilinear-twice", "convention": "ade20k",
		"datasets": "{d: {size: 64}}",
	}
	for _, f := range allFields {
		value, ok := values[f.key]
		if f.key == "name" {
			continue
		}
		if !ok {
			t.Errorf("key protocol.%s has no value in this test", f.key)
			continue
		}
		check("protocol."+f.key, parse(strings.Replace(base, "clip-surgery}", "clip-surgery, "+f.key+": "+value+"}", 1)),
			true, f.key != "convention")
	}
}
