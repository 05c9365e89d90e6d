// Package hub answers: where do a model's files lie, and how do they get there?
//
// [Locate] finds a model in the caches that huggingface_hub and OpenAI's package keep, and [VocabularyPath] the
// vocabulary that belongs to it; neither opens a network connection. [Puller] downloads what is missing into the same
// caches.
package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hbollon/go-edlib"

	"ovbench/runners/files"
	"ovbench/runners/tokenizer"
)

// openAIModels are the checkpoints OpenAI published, and the same weights on the Hugging Face hub where it put them
// there.
var openAIModels = map[string]string{
	"RN50": "", "RN101": "", "RN50x4": "", "RN50x16": "", "RN50x64": "",
	"ViT-B/32":       "openai/clip-vit-base-patch32",
	"ViT-B/16":       "openai/clip-vit-base-patch16",
	"ViT-L/14":       "openai/clip-vit-large-patch14",
	"ViT-L/14@336px": "openai/clip-vit-large-patch14-336",
}

// Family is a kind of model that ovbench reads.
type Family struct {
	Name, Forms string
	Models      []string // common ones, by the names that [Puller.Pull] takes
}

// Families lists them.
var Families = []Family{
	{"CLIP", "OpenAI's .pt, transformers, open_clip", []string{
		"openai/clip-vit-base-patch16", "openai/clip-vit-base-patch32", "openai/clip-vit-large-patch14",
		"openai/clip-vit-large-patch14-336",
		"laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
		"laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
	}},
	{"SigLIP", "transformers, open_clip; not NaFlex", []string{
		"google/siglip-base-patch16-224", "google/siglip-so400m-patch14-384", "timm/ViT-B-16-SigLIP",
		"google/siglip2-base-patch16-224", "google/siglip2-large-patch16-256", "google/siglip2-so400m-patch14-384",
		"timm/ViT-B-16-SigLIP2",
	}},
	{"PE-Core", "open_clip, Meta's .pt; not PE-Lang and PE-Spatial", []string{
		"timm/PE-Core-T-16-384", "timm/PE-Core-S-16-384", "timm/PE-Core-B-16", "timm/PE-Core-L-14-336",
		"timm/PE-Core-bigG-14-448", "facebook/PE-Core-B16-224",
	}},
	{"MetaCLIP 2", "transformers, open_clip", []string{"facebook/metaclip-2-worldwide-huge-quickgelu"}},
	{"DINO and DINOv2, for --backbone dino=NAME", "transformers, torch.hub's .pth", []string{
		"facebook/dino-vitb8", "facebook/dino-vitb16", "facebook/dino-vits8", "facebook/dino-vits16", "facebook/dinov2-small",
		"facebook/dinov2-base",
		"dino_vitbase8_pretrain.pth", "dino_vitbase16_pretrain.pth", "dino_deitsmall8_pretrain.pth",
		"dino_deitsmall16_pretrain.pth", "dinov2_vits14_pretrain.pth", "dinov2_vits14_reg4_pretrain.pth",
		"dinov2_vitb14_pretrain.pth", "dinov2_vitb14_reg4_pretrain.pth", "dinov2_vitl14_pretrain.pth",
		"dinov2_vitl14_reg4_pretrain.pth",
		"facebook/dinov2-large", "facebook/dinov2-with-registers-small", "facebook/dinov2-with-registers-base",
		"facebook/dinov2-with-registers-large",
	}},
	{"Segment Anything, for --segmenter NAME and --backbone sam=NAME", "transformers, Meta's .pth", []string{
		"facebook/sam-vit-base", "facebook/sam-vit-large", "facebook/sam-vit-huge",
		"sam_vit_b_01ec64.pth", "sam_vit_l_0b3195.pth", "sam_vit_h_4b8939.pth",
	}},
}

// openAIFile is the name under which OpenAI's package keeps a model.
func openAIFile(name string) string {
	return strings.NewReplacer("/", "-", "@", "-").Replace(name) + ".pt"
}

// Locate finds a model: an existing path as it is; "org/name" or "org/name@revision" in the Hugging Face cache;
// OpenAI's names such as "ViT-L/14@336px" in ~/.cache/clip. It opens no network connection.
//
// The Hugging Face cache is HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub, the
// first that is set, in the layout of huggingface_hub.
func Locate(model string) (path string, err error) {
	if model == "" {
		return "", fmt.Errorf("no model is named: give a path, or a name such as openai/clip-vit-base-patch16")
	}
	if _, err := os.Stat(model); err == nil {
		return model, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if hub, ok := openAIModels[model]; ok {
		return locateOpenAI(model, hub)
	}
	if _, ok := metaFiles[model]; ok {
		return locateMeta(model)
	}
	name, revision, at := strings.Cut(model, "@")
	if !at {
		revision = "main"
	}
	if looksLikePath(model) || !hubName.MatchString(name) {
		return "", fmt.Errorf("model %.60q: no such file or directory, and no name of a model%s", model, didYouMean(model))
	}
	dir, err := snapshot(name, revision)
	switch {
	case err == nil:
		return dir, nil
	case !strings.Contains(name, "/"):
		return "", fmt.Errorf("model %q: no such file or directory; %w%s; give a path, or a name such as "+
			"openai/clip-vit-base-patch16 (ovbench list models)", model, err, didYouMean(model))
	}
	return "", fmt.Errorf("model %q: %w%s; download it with: ovbench pull %s", model, err, didYouMean(model), model)
}

func locateOpenAI(model, hub string) (string, error) {
	path := filepath.Join(openAICache(), openAIFile(model))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if hub == "" {
		return "", fmt.Errorf("model %q: no file %s: download it with: ovbench pull %s; or name a .pt file", model, path,
			model)
	}
	if _, err := snapshot(hub, "main"); err == nil {
		return "", fmt.Errorf("model %q: no file %s, but the same weights are in the Hugging Face cache: name %q", model,
			path, hub)
	}
	return "", fmt.Errorf("model %q: no file %s: download it with: ovbench pull %s; or the same weights, as %q, with: "+
		"ovbench pull %s", model, path, model, hub, hub)
}

// hubName is what the hub allows: one or two parts.
var hubName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$`)

// hubRevision is a branch, a tag, "refs/pr/1" or a commit, and cannot lead out of a directory.
var hubRevision = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$`)

// looksLikePath tells what cannot be meant as a name.
func looksLikePath(s string) bool {
	if filepath.IsAbs(s) || strings.HasPrefix(s, ".") || strings.HasPrefix(s, "~") {
		return true
	}
	return slices.Contains([]string{".pt", ".pth", ".bin", ".safetensors", ".json"}, filepath.Ext(s))
}

// snapshot is the directory of a revision of a model in the Hugging Face cache.
func snapshot(name, revision string) (string, error) {
	if !hubRevision.MatchString(revision) {
		return "", fmt.Errorf("%q is no revision", revision)
	}
	root := filepath.Join(hubCache(), hubFolder(name))
	if _, err := os.Stat(root); err != nil {
		return "", fmt.Errorf("not in the Hugging Face cache (looked for %s)", root)
	}
	commit := revision
	ref := filepath.Join(root, "refs", filepath.FromSlash(revision))
	if data, err := files.Read(ref, 256); err == nil {
		commit = strings.TrimSpace(string(data))
		if !hubRevision.MatchString(commit) || strings.Contains(commit, "/") {
			return "", fmt.Errorf("%s holds %.60q, which is no commit", ref, commit)
		}
	}
	dir := filepath.Join(root, "snapshots", commit)
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir, nil
	}
	var have []string
	for _, path := range entries(filepath.Join(root, "snapshots")) {
		have = append(have, filepath.Base(path))
	}
	if len(have) == 0 {
		return "", fmt.Errorf("the Hugging Face cache holds no revision of it (%s is empty)",
			filepath.Join(root, "snapshots"))
	}
	return "", fmt.Errorf("revision %s is not in the Hugging Face cache, but %s: name one as %s@%s", revision,
		strings.Join(have, ", "), name, have[0])
}

func hubFolder(name string) string { return "models--" + strings.ReplaceAll(name, "/", "--") }

// hubCache is the directory of huggingface_hub's cache; it need not exist.
func hubCache() string {
	for _, e := range []struct{ variable, below string }{
		{"HF_HUB_CACHE", ""}, {"HUGGINGFACE_HUB_CACHE", ""}, {"HF_HOME", "hub"},
		{"XDG_CACHE_HOME", filepath.Join("huggingface", "hub")},
	} {
		if dir := os.Getenv(e.variable); dir != "" {
			if rest, ok := strings.CutPrefix(dir, "~"); ok && (rest == "" || rest[0] == '/') {
				dir = filepath.Join(homeDir(), rest)
			}
			return filepath.Join(dir, e.below)
		}
	}
	return filepath.Join(homeDir(), ".cache", "huggingface", "hub")
}

// openAICache is where OpenAI's clip package keeps its downloads.
func openAICache() string { return filepath.Join(homeDir(), ".cache", "clip") }

// homeDir is the user's, or the working directory where there is none.
func homeDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return "."
	}
	return home
}

// entries are the paths in a directory, sorted; none for what cannot be read.
func entries(dir string) (paths []string) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range list {
		paths = append(paths, filepath.Join(dir, e.Name()))
	}
	return paths
}

// Cached lists the models in the caches under the names that [Locate] knows: those of OpenAI, and of the Hugging Face
// cache the CLIP models of transformers and open_clip, by their configuration files. What cannot be read is left out.
func Cached() []string {
	var names []string
	for name := range openAIModels {
		if _, err := os.Stat(filepath.Join(openAICache(), openAIFile(name))); err == nil {
			names = append(names, name)
		}
	}
	for _, path := range entries(hubCache()) {
		folder, ok := strings.CutPrefix(filepath.Base(path), "models--")
		name := strings.Replace(folder, "--", "/", 1)
		if !ok || !hubName.MatchString(name) {
			continue
		}
		if dir, err := snapshot(name, "main"); err == nil {
			if isCLIP(dir) {
				names = append(names, name)
			}
			continue
		}
		// No branch main: a revision was asked for when it was downloaded.
		for _, dir := range entries(filepath.Join(path, "snapshots")) {
			if isCLIP(dir) {
				names = append(names, name+"@"+filepath.Base(dir))
			}
		}
	}
	slices.Sort(names)
	return names
}

// isCLIP tells a snapshot of a CLIP model, or of one of its kin, from its configuration.
func isCLIP(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "open_clip_config.json")); err == nil {
		return true
	}
	var config struct {
		Type string `json:"model_type"`
	}
	_, err := files.ReadJSON(filepath.Join(dir, "config.json"), &config)
	return err == nil && slices.Contains([]string{"clip", "siglip", "metaclip_2"}, config.Type)
}

// VocabularyPath is where the tokenizer of the model at modelPath comes from, for [tokenizer.Load]: vocab, a file or
// directory the user named, if not empty; else what lies beside the checkpoint; else OpenAI's vocabulary, which most
// CLIP models share, from ~/.cache/clip, an openai/clip-* model in the Hugging Face cache, or the clip or open_clip
// package of VIRTUAL_ENV. Whether it fits the model is for the caller to check by [tokenizer.Tokenizer.Size].
func VocabularyPath(modelPath, vocab string) (string, error) {
	if vocab != "" {
		info, err := os.Stat(vocab)
		if err != nil {
			return "", fmt.Errorf("vocabulary: %w", err)
		}
		if !info.IsDir() {
			return vocab, nil
		}
		if found, ok := tokenizer.In(vocab); ok {
			return found, nil
		}
		return "", fmt.Errorf("vocabulary: no %s with %s, %s or %s in %s", tokenizer.VocabFile, tokenizer.MergesFile,
			tokenizer.FastFile, tokenizer.OpenAIFile, vocab)
	}
	beside := modelPath
	if info, err := os.Stat(modelPath); err == nil && !info.IsDir() {
		beside = filepath.Dir(modelPath)
	}
	dirs := []string{beside, openAICache()}
	for _, name := range slices.Sorted(maps.Values(openAIModels)) {
		if name != "" {
			if dir, err := snapshot(name, "main"); err == nil {
				dirs = append(dirs, dir)
			}
		}
	}
	if env := os.Getenv("VIRTUAL_ENV"); env != "" {
		for _, pattern := range []string{"clip", "open_clip"} {
			found, _ := filepath.Glob(filepath.Join(env, "lib", "python*", "site-packages", pattern))
			dirs = append(dirs, found...)
		}
	}
	for _, dir := range dirs {
		if found, ok := tokenizer.In(dir); ok {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s: no vocabulary: no %s with %s, %s or %s beside it, nor OpenAI's in the caches: name one "+
		"with --vocab, or: ovbench pull %s",
		modelPath, tokenizer.VocabFile, tokenizer.MergesFile, tokenizer.FastFile, tokenizer.OpenAIFile, vocabularyModel)
}

// didYouMean is a question naming the models nearest to what was asked for, or "".
func didYouMean(model string) string {
	if len(model) > 200 {
		return ""
	}
	known := append(Cached(), slices.Collect(maps.Keys(openAIModels))...)
	for _, f := range Families {
		known = append(known, f.Models...)
	}
	if slices.Contains(known, model) {
		return "" // rightly spelled, only not here
	}
	slices.Sort(known)
	near, least := []string(nil), max(2, len(model)/4)+1
	for _, name := range slices.Compact(known) {
		asked, spelled := strings.ToLower(model), strings.ToLower(name)
		d := edlib.LevenshteinDistance(asked, spelled)
		if strings.HasSuffix(spelled, "/"+asked) || openAIFile(name) == model+".pt" {
			d = 0
		}
		if d < least {
			near, least = nil, d
		}
		if d == least && len(near) < 3 {
			near = append(near, fmt.Sprintf("%q", name))
		}
	}
	if len(near) == 0 || least > max(2, len(model)/4) {
		return ""
	}
	return "; did you mean " + strings.Join(near, " or ") + "?"
}
