package hub

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/runners/tokenizer"

	"github.com/google/go-cmp/cmp"
)

// caches gives the test a home of its own, and makes files in it: path to contents.
func caches(t *testing.T, files map[string]string) (home string) {
	t.Helper()
	home = t.TempDir()
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "VIRTUAL_ENV"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	for name, data := range files {
		path := filepath.Join(home, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(home)
	return home
}

// fullCaches is what one finds on the machine of someone who works with CLIP.
var fullCaches = map[string]string{
	".cache/clip/ViT-L-14-336px.pt":                                                             "weights",
	".cache/huggingface/hub/version.txt":                                                        "1",
	".cache/huggingface/hub/models--openai--clip-vit-base-patch16/refs/main":                    "c0ffee\n",
	".cache/huggingface/hub/models--openai--clip-vit-base-patch16/refs/refs/pr/1":               "beef",
	".cache/huggingface/hub/models--openai--clip-vit-base-patch16/refs/broken":                  "../../../secret",
	".cache/huggingface/hub/models--openai--clip-vit-base-patch16/refs/gone":                    "dead",
	".cache/huggingface/hub/models--openai--clip-vit-base-patch16/snapshots/c0ffee/config.json": `{"model_type": "clip"}`,
	".cache/huggingface/hub/models--openai--clip-vit-base-patch16/snapshots/c0ffee/vocab.json":  "{}",
	".cache/huggingface/hub/models--openai--clip-vit-base-patch16/snapshots/c0ffee/merges.txt":  "",
	".cache/huggingface/hub/models--openai--clip-vit-base-patch16/snapshots/beef/config.json":   `{"model_type": "clip"}`,
	".cache/huggingface/hub/models--laion--CLIP-ViT-B-16/refs/main":                             "1a10",
	".cache/huggingface/hub/models--laion--CLIP-ViT-B-16/snapshots/1a10/open_clip_config.json":  `{}`,
	".cache/huggingface/hub/models--org--pinned/snapshots/f1f1/config.json":                     `{"model_type": "clip"}`,
	".cache/huggingface/hub/models--gpt2/refs/main":                                             "9999",
	".cache/huggingface/hub/models--gpt2/snapshots/9999/config.json":                            `{"model_type": "gpt2"}`,
	".cache/huggingface/hub/models--org--empty/refs/main":                                       "0000",
	".cache/huggingface/hub/models--org--broken/refs/main":                                      "0000",
	".cache/huggingface/hub/models--org--broken/snapshots/0000/config.json":                     `{"model_type`,
	"local/model.safetensors": "weights",
}

func TestLocate(t *testing.T) {
	home := caches(t, fullCaches)
	hub := filepath.Join(home, ".cache", "huggingface", "hub")
	b16 := filepath.Join(hub, "models--openai--clip-vit-base-patch16", "snapshots")
	for _, c := range []struct{ model, want, err string }{
		{model: "local", want: "local"},
		{model: "local/model.safetensors", want: "local/model.safetensors"},
		{model: home, want: home},
		{model: "openai/clip-vit-base-patch16", want: filepath.Join(b16, "c0ffee")},
		{model: "openai/clip-vit-base-patch16@main", want: filepath.Join(b16, "c0ffee")},
		{model: "openai/clip-vit-base-patch16@beef", want: filepath.Join(b16, "beef")},
		{model: "openai/clip-vit-base-patch16@refs/pr/1", want: filepath.Join(b16, "beef")},
		{model: "gpt2", want: filepath.Join(hub, "models--gpt2", "snapshots", "9999")},
		{model: "ViT-L/14@336px", want: filepath.Join(home, ".cache", "clip", "ViT-L-14-336px.pt")},

		{model: "", err: "no model is named: give a path"},
		{model: "ViT-B/16", err: `the same weights are in the Hugging Face cache: name "openai/clip-vit-base-patch16"`},
		{model: "ViT-B/32", err: "ovbench pull ViT-B/32; or the same weights, as \"openai/clip-vit-base-patch32\", with: " +
			"ovbench pull openai/clip-vit-base-patch32"},
		{model: "RN50", err: filepath.Join(".cache", "clip", "RN50.pt") + ": download it with: ovbench pull RN50"},
		{model: "vit-b/16", err: `did you mean "ViT-B/16"?`},
		{model: "ViT-B-16", err: `did you mean "ViT-B/16"?`},
		{model: "clip-vit-base-patch16", err: `did you mean "openai/clip-vit-base-patch16"?`},
		{model: "openai/clip-vit-base-patch61", err: `did you mean "openai/clip-vit-base-patch16" or `},
		{model: "openai/clip-vit-base-patch32", err: "(looked for " + filepath.Join(hub,
			"models--openai--clip-vit-base-patch32") + ")"},
		{model: "org/other@v1.0", err: "download it with: ovbench pull org/other@v1.0"},
		{model: "org/pinned", err: "revision main is not in the Hugging Face cache, but f1f1: name one as org/pinned@f1f1"},
		{model: "org/empty", err: "holds no revision"},
		{model: "openai/clip-vit-base-patch16@broken", err: `holds "../../../secret", which is no commit`},
		{model: "openai/clip-vit-base-patch16@gone", err: "revision gone is not in the Hugging Face cache, but beef, c0ffee"},
		{model: "openai/clip-vit-base-patch16@../../x", err: `"../../x" is no revision`},
		{model: "openai/clip-vit-base-patch16@", err: `"" is no revision`},
		{model: "absent.pt", err: `model "absent.pt": no such file or directory`},
		{model: "./absent", err: "no such file or directory"},
		{model: "a/b/c", err: "no such file or directory"},
		{model: "no such name", err: "no such file or directory"},
	} {
		got, err := Locate(c.model)
		if c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%q: %q, %v, want %q", c.model, got, err, c.want)
		}
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: %q, error %v, want %q", c.model, got, err, c.err)
		}
	}
}

// The variables are those of huggingface_hub, in its order.
func TestHubCache(t *testing.T) {
	home := caches(t, nil)
	if got, want := hubCache(), filepath.Join(home, ".cache", "huggingface", "hub"); got != want {
		t.Errorf("nothing set: %s, want %s", got, want)
	}
	for _, c := range []struct{ variable, value, want string }{
		{"XDG_CACHE_HOME", "/xdg", "/xdg/huggingface/hub"},
		{"HF_HOME", "~/hf", filepath.Join(home, "hf", "hub")},
		{"HUGGINGFACE_HUB_CACHE", "/old", "/old"},
		{"HF_HUB_CACHE", "/hub", "/hub"},
	} {
		t.Setenv(c.variable, c.value)
		if got := hubCache(); got != filepath.FromSlash(c.want) {
			t.Errorf("%s=%s: %s, want %s", c.variable, c.value, got, c.want)
		}
	}
}

func TestCached(t *testing.T) {
	caches(t, fullCaches)
	want := []string{"ViT-L/14@336px", "laion/CLIP-ViT-B-16", "openai/clip-vit-base-patch16", "org/pinned@f1f1"}
	got := Cached()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, name := range got {
		if _, err := Locate(name); err != nil {
			t.Errorf("listed but: %v", err)
		}
	}
	caches(t, nil)
	if got := Cached(); len(got) != 0 {
		t.Errorf("empty caches: %v", got)
	}
}

func TestVocabularyPath(t *testing.T) {
	const gz = tokenizer.OpenAIFile
	packages := "venv/lib/python3.11/site-packages/"
	for _, c := range []struct {
		name, model, vocab string
		files              []string
		want, err          string
	}{
		{"pair beside", "m", "", []string{"m/vocab.json", "m/merges.txt", ".cache/clip/" + gz}, "m", ""},
		{"fast form beside", "m", "", []string{"m/vocab.json", "m/merges.txt", "m/tokenizer.json", "m/" + gz},
			"m/tokenizer.json", ""},
		{"beside a file", "m/x.pt", "", []string{"m/x.pt", "m/" + gz}, "m/" + gz, ""},
		{"clip's cache", "m/x.pt", "", []string{"m/x.pt", ".cache/clip/" + gz, packages + "clip/" + gz}, ".cache/clip/" + gz,
			""},
		{"a model of OpenAI's", "m/x.pt", "", []string{"m/x.pt",
			".cache/huggingface/hub/models--openai--clip-vit-large-patch14/refs/main",
			".cache/huggingface/hub/models--openai--clip-vit-large-patch14/snapshots/c/vocab.json",
			".cache/huggingface/hub/models--openai--clip-vit-large-patch14/snapshots/c/merges.txt",
		}, ".cache/huggingface/hub/models--openai--clip-vit-large-patch14/snapshots/c", ""},
		{"a Python package", "m/x.pt", "", []string{"m/x.pt", packages + "open_clip/" + gz}, packages + "open_clip/" + gz,
			""},
		{"named directory", "m", "v", []string{"m/vocab.json", "m/merges.txt", "v/tokenizer.json"}, "v/tokenizer.json", ""},
		{"named file", "m", "v/any.txt.gz", []string{"m/vocab.json", "m/merges.txt", "v/any.txt.gz"}, "v/any.txt.gz", ""},

		{"none", "m/x.pt", "", []string{"m/x.pt", "m/vocab.json"}, "",
			"m/x.pt: no vocabulary: no vocab.json with merges.txt"},
		{"named, absent", "m", "v", []string{"m/vocab.json", "m/merges.txt"}, "", "vocabulary: stat v"},
		{"named, empty", "m", "v", []string{"m/vocab.json", "m/merges.txt", "v/x"}, "", "or " + gz + " in v"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{}
			for _, f := range c.files {
				files[f] = "c"
			}
			home := caches(t, files)
			t.Setenv("VIRTUAL_ENV", filepath.Join(home, "venv"))
			got, err := VocabularyPath(c.model, c.vocab)
			if rel, e := filepath.Rel(home, got); e == nil && filepath.IsAbs(got) {
				got = rel
			}
			if c.err == "" && (err != nil || filepath.ToSlash(got) != c.want) {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%q, error %v, want %q", got, err, c.err)
			}
		})
	}
}
