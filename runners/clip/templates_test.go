package clip

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovbench/runners/clip/cliptest"

	"github.com/google/go-cmp/cmp"
)

// Counts and ends: OpenAI's notebook "Prompt Engineering for ImageNet", and the list of CLIP Surgery's code.
func TestTemplates(t *testing.T) {
	for _, c := range []struct {
		name        string
		n           int
		first, last string
	}{
		{"none", 1, "{}", "{}"},
		{"openai7", 7, "itap of a {}.", "a photo of the small {}."},
		{"openai80", 80, "a bad photo of a {}.", "a tattoo of the {}."},
		{"surgery85", 85, "a bad photo of a {}.", "this is one {} in the scene."},
	} {
		got, err := Templates(c.name)
		if err != nil {
			t.Error(err)
		} else if len(got) != c.n || got[0] != c.first || got[len(got)-1] != c.last {
			t.Errorf("%s: %d templates from %q to %q, want %d from %q to %q", c.name, len(got), got[0], got[len(got)-1], c.n,
				c.first, c.last)
		}
		if !slices.Contains(TemplateNames(), c.name) {
			t.Errorf("%s is not listed", c.name)
		}
		if sorted := slices.Sorted(slices.Values(got)); len(slices.Compact(sorted)) != len(got) {
			t.Errorf("%s: a template is there twice", c.name)
		}
	}
	for _, name := range TemplateNames() {
		if _, err := Templates(name); err != nil {
			t.Errorf("listed but: %v", err)
		}
	}
	eighty, _ := Templates("openai80")
	seven, _ := Templates("openai7")
	surgery, _ := Templates("surgery85")
	if diff := cmp.Diff(eighty, surgery[:80]); diff != "" {
		t.Errorf("surgery85 does not begin with openai80 (-want +got):\n%s", diff)
	}
	for _, s := range seven {
		if !slices.Contains(eighty, s) {
			t.Errorf("openai7 has %q, openai80 has not", s)
		}
	}
}

// The order is that of the recorded list.
func TestTemplateOrder(t *testing.T) {
	var want []string
	readJSON(t, cliptest.Recorded(t, "classes", "templates", "prompt_templates_85.json"), &want)
	got, err := Templates("surgery85")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestTemplateFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prompts.txt")
	many := strings.Repeat("a {}\n", maxTemplates)
	for _, c := range []struct {
		name, data string
		want       []string
		err        string
	}{
		{"lines", "\ufeffa {}.\r\n\r\n  the {}  \nmy {}\nmy {}", []string{"a {}.", "the {}", "my {}", "my {}"}, ""},
		{"JSON", "\n[\"a {}.\", \"the {}\"]\n", []string{"a {}.", "the {}"}, ""},
		{"no slot", "a {}\n\na photo\n", nil, path + `:3: "a photo" has 0 {}: write one`},
		{"two slots", "a {} {}", nil, path + `:1: "a {} {}" has 2 {}`},
		{"JSON, no slot", `["a {}", ""]`, nil, path + `: template 2: "" has 0 {}`},
		{"JSON, numbers", `[1]`, nil, path + ": not a JSON list of templates: "},
		{"empty", " \n\n", nil, path + ": no templates: write one a line"},
		{"empty JSON", "[]", nil, path + ": no templates"},
		{"the most", many, slices.Repeat([]string{"a {}"}, maxTemplates), ""},
		{"too many", many + "{}", nil, path + ": 1025 templates, the limit is 1024"},
		{"too large", strings.Repeat("\n", maxTemplateFile+1), nil, path + ": more than 1048576 bytes"},
	} {
		if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Templates(path)
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.err)
			}
		} else if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
	if _, err := Templates("surgery58"); err == nil || !strings.Contains(err.Error(), `templates "surgery58" are not known: they are none, photo, openai7, openai80, surgery85, or a file`) {
		t.Errorf("unknown name: error %v", err)
	}
	if _, err := Templates(""); err == nil {
		t.Error("no name: no error")
	}
}

func TestFill(t *testing.T) {
	for _, c := range []struct{ template, name, want string }{
		{"a photo of a {}.", "cat", "a photo of a cat."},
		{"{}", "", ""},
		{"a {}.", "{}", "a {}."}, // a name is not filled again
	} {
		if got := Fill(c.template, c.name); got != c.want {
			t.Errorf("Fill(%q, %q) = %q, want %q", c.template, c.name, got, c.want)
		}
	}
}
