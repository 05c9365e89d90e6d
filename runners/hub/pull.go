package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"ovbench/runners/checkpoint"
	"ovbench/runners/files"
	"ovbench/runners/tokenizer"
)

// Puller downloads models from the Hugging Face hub into its cache, in the layout of huggingface_hub, OpenAI's
// ResNets, which are not on the hub, from OpenAI, and the files of torch.hub from Meta. The zero value works;
// HF_ENDPOINT, HF_TOKEN (or the token huggingface-cli saved), HF_HUB_OFFLINE and the variables of [Locate] are heeded.
type Puller struct {
	// Progress, if not nil, is told how many bytes of a file are there. total is negative where the server does not say.
	Progress func(file string, done, total int64)
	Client   *http.Client // nil for a plain one
	// Unchecked, if not nil, is told of a file of which no checksum is known, and the SHA-256 of what is there.
	Unchecked func(file, sum string)
}

// openAISums are the SHA-256 of OpenAI's files, which are also the folders they lie in.
var openAISums = map[string]string{
	"RN50":           "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
	"RN101":          "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599",
	"RN50x4":         "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd",
	"RN50x16":        "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa",
	"RN50x64":        "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c",
	"ViT-B/32":       "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
	"ViT-B/16":       "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
	"ViT-L/14":       "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
	"ViT-L/14@336px": "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
}

// openAIHost is where OpenAI's files lie.
var openAIHost = "https://openaipublic.azureedge.net"

// vocabularyModel is the smallest model on the hub that brings OpenAI's vocabulary.
const vocabularyModel = "openai/clip-vit-base-patch32"

// Pull downloads what ovbench needs of a model: weights, configuration and vocabulary. model is a name of the hub, with
// @revision if wanted, or one of OpenAI's such as "RN50". It returns what [Locate] finds for the name from now on.
// Files that are there are not fetched again, and an interrupted download goes on.
func (p *Puller) Pull(ctx context.Context, model string) (path string, err error) {
	if v := strings.ToLower(os.Getenv("HF_HUB_OFFLINE")); v != "" && v != "0" && v != "false" && v != "no" {
		return "", fmt.Errorf("model %q: HF_HUB_OFFLINE is set, so nothing is downloaded: unset it", model)
	}
	if _, ok := openAIModels[model]; ok {
		return p.pullOpenAI(ctx, model)
	}
	if _, ok := metaFiles[model]; ok {
		return p.pullMeta(ctx, model)
	}
	name, revision, at := strings.Cut(model, "@")
	if !at {
		revision = "main"
	}
	if !hubName.MatchString(name) || !hubRevision.MatchString(revision) {
		return "", fmt.Errorf("model %.60q: want a name of the Hugging Face hub such as openai/clip-vit-base-patch16, or "+
			"one of OpenAI's%s", model, didYouMean(model))
	}
	if path, err = p.pullHub(ctx, name, revision, modelFiles); err != nil {
		return "", err
	}
	return path, p.pullVocabulary(ctx, path)
}

// pullVocabulary downloads OpenAI's vocabulary for a model at path that brings none, unless it is there.
func (p *Puller) pullVocabulary(ctx context.Context, path string) error {
	if _, err := VocabularyPath(path, ""); err == nil {
		return nil
	}
	if c, err := checkpoint.Open(path); err == nil {
		if _, err := VocabularyPath(c.Files[0], ""); err == nil {
			return nil
		}
	}
	if _, err := p.pullHub(ctx, vocabularyModel, "main", vocabularyFiles); err != nil {
		return fmt.Errorf("vocabulary of %s: %w", path, err)
	}
	return nil
}

func (p *Puller) pullOpenAI(ctx context.Context, model string) (string, error) {
	if err := p.pullVocabulary(ctx, filepath.Join(openAICache(), "x")); err != nil {
		return "", err
	}
	file := openAIFile(model)
	d := download{
		client: p.client(), url: fmt.Sprintf("%s/clip/models/%s/%s", openAIHost, openAISums[model], file), size: -1,
		sum:    openAISums[model],
		target: filepath.Join(openAICache(), file), lock: filepath.Join(openAICache(), "."+file+".lock"),
		progress: p.telling(file),
	}
	if err := d.fetch(ctx); err != nil {
		return "", fmt.Errorf("model %q: %w", model, err)
	}
	return d.target, nil
}

// client follows redirects, but takes the token to no other host, port or scheme.
func (p *Puller) client() *http.Client {
	client := http.Client{}
	if p.Client != nil {
		client = *p.Client
	}
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > 10 {
			return errors.New("more than 10 redirects")
		}
		if first := via[0].URL; req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
			req.Header.Del("Authorization")
		}
		return nil
	}
	return &client
}

func (p *Puller) telling(file string) func(done, total int64) {
	if p.Progress == nil {
		return nil
	}
	return func(done, total int64) { p.Progress(file, done, total) }
}

// pullHub downloads the files that choose picks of a revision of a model, and returns the snapshot's folder.
func (p *Puller) pullHub(ctx context.Context, name, revision string, choose func([]string) ([]string, error)) (string,
	error) {
	endpoint := strings.TrimRight(cmp.Or(os.Getenv("HF_ENDPOINT"), "https://huggingface.co"), "/")
	commit, all, err := p.list(ctx, fmt.Sprintf("%s/api/models/%s/revision/%s", endpoint, name, url.PathEscape(revision)))
	if err != nil {
		return "", fmt.Errorf("model %q: %w", name, err)
	}
	files, err := choose(all)
	if err != nil {
		return "", fmt.Errorf("model %q: %w", name, err)
	}
	root := filepath.Join(hubCache(), hubFolder(name))
	dir := filepath.Join(root, "snapshots", commit)
	for i := 0; i < len(files); i++ {
		at := fmt.Sprintf("%s/%s/resolve/%s/%s", endpoint, name, commit, escapePath(files[i]))
		if err := p.pullFile(ctx, at, root, dir, files[i]); err != nil {
			return "", fmt.Errorf("model %q: %w", name, err)
		}
		if strings.HasSuffix(files[i], ".index.json") {
			shards, err := shardsOf(filepath.Join(dir, files[i]), all)
			if err != nil {
				return "", fmt.Errorf("model %q: %w", name, err)
			}
			files = append(files, shards...)
		}
	}
	ref := filepath.Join(root, "refs", filepath.FromSlash(revision))
	if revision == commit {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(ref), 0o777); err != nil {
		return "", err
	}
	return dir, renameio.WriteFile(ref, []byte(commit), 0o666)
}

// escapePath is a file's path in a URL.
func escapePath(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// commitPattern is a hash of git, which names a folder here.
var commitPattern = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// list asks the hub for the commit behind a revision, and its files.
func (p *Puller) list(ctx context.Context, at string) (commit string, files []string, err error) {
	ctx, _, stop := watched(ctx)
	defer stop()
	resp, err := p.ask(ctx, p.client(), http.MethodGet, at)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", nil, statusError(at, resp)
	}
	var answer struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
		} `json:"siblings"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(&answer); err != nil {
		return "", nil, fmt.Errorf("%s: %w", at, silent(ctx, err))
	}
	if !commitPattern.MatchString(answer.SHA) {
		return "", nil, fmt.Errorf("%s: commit %.80q is none: is HF_ENDPOINT a hub?", at, answer.SHA)
	}
	for _, s := range answer.Siblings {
		files = append(files, s.Name)
	}
	return answer.SHA, files, nil
}

func (p *Puller) ask(ctx context.Context, client *http.Client, method, at string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, nil)
	if err != nil {
		return nil, err
	}
	if t := hubToken(); t != "" {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	resp, err := client.Do(req)
	if e := silent(ctx, err); e != err {
		err = fmt.Errorf("%s: %w", at, e)
	}
	return resp, err
}

// hubToken is the user's: of HF_TOKEN, or what huggingface-cli login saved.
func hubToken() string {
	if t := os.Getenv("HF_TOKEN"); t != "" {
		return strings.TrimSpace(t)
	}
	path := cmp.Or(os.Getenv("HF_TOKEN_PATH"),
		filepath.Join(cmp.Or(os.Getenv("HF_HOME"), filepath.Join(homeDir(), ".cache", "huggingface")), "token"))
	data, _ := files.Read(path, 4096)
	return strings.TrimSpace(string(data))
}

// configNames are what says how the weights compute.
var configNames = []string{"config.json", "open_clip_config.json", "processor_config.json", "preprocessor_config.json"}

// vocabularyNames are what a tokenizer is read from.
var vocabularyNames = []string{tokenizer.VocabFile, tokenizer.MergesFile, tokenizer.FastFile, tokenizer.AddedFile,
	tokenizer.ConfigFile}

// modelFiles picks weights, the best form there is, with the files that explain them.
func modelFiles(all []string) ([]string, error) {
	weights, err := checkpoint.Weights(all)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no model in a form that ovbench reads", err)
	}
	var out []string
	for _, name := range slices.Concat(configNames, vocabularyNames) {
		if name = path.Join(path.Dir(weights), name); slices.Contains(all, name) {
			out = append(out, name)
		}
	}
	return append(out, weights), nil
}

// vocabularyFiles picks the tokenizer alone.
func vocabularyFiles(all []string) (out []string, err error) {
	for _, name := range vocabularyNames {
		if slices.Contains(all, name) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it holds no vocabulary")
	}
	return out, nil
}

// shardsOf are the files that an index of shards names, all of them among the model's.
func shardsOf(index string, all []string) ([]string, error) {
	shards, err := checkpoint.Shards(index)
	if err != nil {
		return nil, err
	}
	for _, shard := range shards {
		if !slices.Contains(all, shard) {
			return nil, fmt.Errorf("%s: shard %.80q is not a file of the model", index, shard)
		}
	}
	return shards, nil
}

// pullFile downloads a file as a blob and links it into the snapshot.
func (p *Puller) pullFile(ctx context.Context, at, root, dir, name string) error {
	size, etag, err := p.head(ctx, at)
	if err != nil {
		return err
	}
	d := download{
		client: p.client(), url: at, token: hubToken(), size: size, sum: etag, target: filepath.Join(root, "blobs", etag),
		lock: filepath.Join(hubCache(), ".locks", filepath.Base(root), etag+".lock"), progress: p.telling(name),
	}
	if err := d.fetch(ctx); err != nil {
		return err
	}
	local := filepath.FromSlash(name)
	if !filepath.IsLocal(local) {
		return fmt.Errorf("%.80q is no name of a file", name)
	}
	link := filepath.Join(dir, local)
	if err := os.MkdirAll(filepath.Dir(link), 0o777); err != nil {
		return err
	}
	want, err := filepath.Rel(filepath.Dir(link), d.target)
	if err != nil {
		return err
	}
	if have, err := os.Readlink(link); err == nil && have == want {
		return nil
	}
	_ = os.Remove(link) // what is there is of no use; if it cannot go, the next line says so
	return os.Symlink(want, link)
}

// etagPattern is a SHA-256, or the SHA-1 of git.
var etagPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// head asks for the size of a file and its etag, the checksum of its content. Large files lie elsewhere: the hub's own
// answer names both, the place it leads to need not.
func (p *Puller) head(ctx context.Context, at string) (size int64, etag string, err error) {
	ctx, _, stop := watched(ctx)
	defer stop()
	client := p.client()
	first, err := url.Parse(at)
	if err != nil {
		return 0, "", err
	}
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if req.URL.Host != first.Host || len(via) > 5 { // a renamed model stays on the hub
			return http.ErrUseLastResponse
		}
		return nil
	}
	resp, err := p.ask(ctx, client, http.MethodHead, at)
	if err != nil {
		return 0, "", err
	}
	resp.Body.Close()
	if resp.StatusCode >= 400 {
		return 0, "", statusError(at, resp)
	}
	etag = strings.Trim(strings.TrimPrefix(cmp.Or(resp.Header.Get("X-Linked-Etag"), resp.Header.Get("ETag")), "W/"), `"`)
	if !etagPattern.MatchString(etag) {
		return 0, "", fmt.Errorf("%s: its etag %.80q is no checksum, so what arrives could not be checked: is HF_ENDPOINT "+
			"a hub?", at, etag)
	}
	size, err = strconv.ParseInt(cmp.Or(resp.Header.Get("X-Linked-Size"), resp.Header.Get("Content-Length")), 10, 64)
	if err != nil || size < 0 {
		return 0, "", fmt.Errorf("%s: the hub does not say its size", at)
	}
	return size, etag, nil
}
