package datasets

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Numbers of queries in all and of class 0, counted from the class files that the named code
// bases read, with the separator of each loader.
func TestQuerySets(t *testing.T) {
	type count struct{ All, First int }
	want := map[string]map[string]count{
		"voc21": {"plain": {21, 1}, "clearclip": {21, 1}, "cliper": {47, 25}, "corrclip": {46, 26}, "freecp": {46, 26},
			"itaclip": {80, 44}, "proxyclip": {46, 26}, "sclip": {56, 26}},
		"voc20": {"plain": {20, 1}, "clearclip": {20, 1}, "corrclip": {20, 1}, "freecp": {20, 1}, "proxyclip": {20, 1},
			"sclip": {30, 1}},
		"voc2007": {"plain": {20, 1}}, "voc2012": {"plain": {20, 1}},
		"context60": {"plain": {60, 1}, "clearclip": {60, 1}, "cliper": {60, 1}, "corrclip": {60, 1}, "freecp": {60, 1},
			"itaclip": {75, 1}, "proxyclip": {60, 1}, "sclip": {60, 1}},
		"context59": {"plain": {59, 1}, "clearclip": {59, 1}, "corrclip": {59, 1}, "freecp": {59, 1}, "proxyclip": {59, 1},
			"sclip": {59, 1}},
		"context459": {"plain": {459, 1}, "proxyclip": {459, 1}, "trident": {459, 1}},
		"coco_object": {"plain": {81, 1}, "clearclip": {81, 1}, "cliper": {103, 23}, "corrclip": {96, 16},
			"freecp":  {106, 26},
			"itaclip": {119, 26}, "proxyclip": {97, 17}, "sclip": {113, 26}},
		"coco_stuff":    {"plain": {171, 1}, "corrclip": {171, 1}, "itaclip": {183, 8}, "sclip": {171, 1}},
		"coco_panoptic": {"plain": {133, 1}}, "coco": {"plain": {80, 1}},
		"cityscapes": {"plain": {19, 1}, "cliper": {19, 1}, "corrclip": {19, 1}, "corrclipv2": {19, 1}, "itaclip": {26, 1},
			"sclip": {19, 1}},
		"ade20k": {"plain": {150, 1}, "cliper": {150, 1}, "corrclip": {150, 1}, "sclip": {150, 1},
			"synonyms": {333, 1}},
		"camvid":       {"plain": {11, 1}},
		"imagenet_s50": {"plain": {51, 1}, "openai": {51, 1}}, "imagenet_s300": {"plain": {301, 1}, "openai": {301, 1}},
		"imagenet_s919": {"plain": {920, 1}, "openai": {920, 1}},
		"nuswide":       {"plain": {81, 1}, "synonyms": {147, 4}},
		"shapes":        {"plain": {15, 1}}, "shapes_pairs": {"plain": {71, 1}},
	}
	for _, e := range All {
		if e.Classes == 0 { // brings its own words
			continue
		}
		got := make(map[string]count)
		sets := QuerySets(e.Name)
		for _, set := range sets {
			queries, err := Queries(e.Name, set)
			if err != nil {
				t.Fatal(err)
			}
			if len(queries) != e.Classes {
				t.Errorf("%s %s: %d classes, want %d", e.Name, set, len(queries), e.Classes)
			}
			n := 0
			for _, q := range queries {
				n += len(q)
			}
			got[set] = count{n, len(queries[0])}
		}
		if diff := cmp.Diff(want[e.Name], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", e.Name, diff)
		}
		if sets[0] != "plain" {
			t.Errorf("%s: sets %v, want plain first", e.Name, sets)
		}
	}
}

func TestPlainQueries(t *testing.T) {
	got, err := Queries("voc21", "")
	if err != nil {
		t.Fatal(err)
	}
	for i, official := range vocClasses {
		if len(got[i]) != 1 || strings.ReplaceAll(got[i][0], " ", "") != official {
			t.Errorf("class %d: %q, official name %q", i, got[i], official)
		}
	}
	if got[11][0] != "dining table" || got[16][0] != "potted plant" || got[20][0] != "tv monitor" {
		t.Errorf("%q", got)
	}
}

func TestQueriesOfSCLIP(t *testing.T) {
	got, err := Queries("voc20", "sclip")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"person", "person in shirt", "person in jeans", "person in dress", "person in sweater",
		"person in skirt", "person in jacket"}
	if diff := cmp.Diff(want, got[14]); diff != "" {
		t.Errorf("person (-want +got):\n%s", diff)
	}
}

func TestQueryFile(t *testing.T) {
	lines := func(n int, last string) string { return strings.Repeat("word\r\n", n-1) + last }
	numbered := func(first int) (text string) {
		for i := range 20 {
			text += fmt.Sprintf("%d: word %d\n", first+i, i)
		}
		return text
	}
	for _, test := range []struct {
		name, text string
		last       []string
		err        string
	}{
		{"bars", lines(20, "a thing | another,thing "), []string{"a thing", "another,thing"}, ""},
		{"no last newline, blank end", lines(20, "x\n\n \n"), []string{"x"}, ""},
		{"named separator", "# separator: \"; \"\n" + lines(20, "people, person; human"), []string{"people, person", "human"},
			""},
		{"named bar", "#separator: \"|\"\n" + lines(20, "people, person"), []string{"people, person"}, ""},
		{"ambiguous", lines(20, "people, person"), nil, `x.txt:20: "people, person" may be one query or several`},
		{"too few", lines(19, "x"), nil, "x.txt: 19 classes, but voc20 has 20"},
		{"too many", lines(21, "x"), nil, "21 classes"},
		{"hole", "a\n\n" + lines(18, "x"), nil, "x.txt:2: empty query"},
		{"empty query", lines(20, "a | | b"), nil, "x.txt:20: empty query"},
		{"unquoted separator", "# separator: ;\n" + lines(20, "x"), nil, "x.txt:1: want the separator in double quotes"},
		{"not text", "\xff\xff\xfea", nil, "not UTF-8"},
		{"numbered from 0", numbered(0), []string{"word 19"}, ""},
		{"numbered from 1", numbered(1), []string{"word 19"}, ""},
		{"numbered from 2", numbered(2), nil, "x.txt:1: \"2: word 0\" is numbered 2, want 0"},
		{"a byte-order mark within", lines(20, "\ufeffx"), nil, "invisible character U+FEFF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.txt")
			write(t, path, []byte(test.text))
			got, err := Queries("voc20", path)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.last, got[19]); diff != "" {
				t.Errorf("last class (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQueriesErrors(t *testing.T) {
	for _, test := range []struct{ dataset, set, want string }{
		{"voc21", "sklip", `did you mean "sclip"?`},
		{"voc20", "itaclip", "voc20: query set \"itaclip\" is not known"},
		{"voc22", "sclip", `did you mean "voc2`},
		{"voc21", "missing.txt", "no such file"},
	} {
		if _, err := Queries(test.dataset, test.set); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: got %v, want %q", test.dataset, test.set, err, test.want)
		}
	}
}

// FuzzLists: whatever the text, no panic; ids are unique and stay inside their directory, queries
// are never empty.
func FuzzLists(f *testing.F) {
	f.Add("2007_000033\r\n\n/JPEGImages/a.jpg /SegmentationClass/a.png")
	f.Add("# separator: \"; \"\na; b\nc")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		for i, l := range lines {
			lines[i] = strings.TrimSpace(l)
		}
		seen := make(map[string]bool)
		ids, err := parseIDs("x", lines)
		for _, id := range ids {
			if err != nil || seen[id] || !filepath.IsLocal(id) || filepath.Base(id) != id {
				t.Fatalf("id %q, %v", id, err)
			}
			seen[id] = true
		}
		queries, err := parseQueries("x", lines)
		for _, class := range queries {
			for _, q := range class {
				if err != nil || q == "" || q != strings.TrimSpace(q) {
					t.Fatalf("query %q, %v", q, err)
				}
			}
			if len(class) == 0 {
				t.Fatal("a class without queries")
			}
		}
	})
}
