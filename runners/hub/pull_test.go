package hub

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ovbench/runners/checkpoint"
)

// hub is a Hugging Face hub of one model. Files of more than small bytes lie on another host, as on the real one.
type hub struct {
	t      *testing.T
	name   string
	commit string
	files  map[string][]byte
	token  string // needed, if not empty

	mu      sync.Mutex
	broken  map[string]int // how often a file still breaks off half-way
	damage  string         // a file whose content arrives changed
	silent  string         // a file of which the first bytes arrive, then nothing
	noRange int            // status of answers to requests for a part: the whole file, or an error
	etag    string         // in place of a checksum
	asked   []string       // files and from which byte, of GET requests
	store   *httptest.Server
}

const small = 1000

func (h *hub) start() *httptest.Server {
	h.store = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			h.t.Errorf("the token went to %s", r.URL)
		}
		h.serve(w, r, strings.TrimPrefix(r.URL.Path, "/"))
	}))
	h.t.Cleanup(h.store.Close)
	s := httptest.NewServer(http.HandlerFunc(h.answer))
	h.t.Cleanup(s.Close)
	return s
}

func (h *hub) answer(w http.ResponseWriter, r *http.Request) {
	if h.token != "" && r.Header.Get("Authorization") != "Bearer "+h.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.URL.EscapedPath() == "/api/models/"+h.name+"/revision/main" {
		type sibling struct {
			Name string `json:"rfilename"`
		}
		answer := struct {
			SHA      string    `json:"sha"`
			Siblings []sibling `json:"siblings"`
		}{SHA: h.commit}
		for _, name := range slices.Sorted(maps.Keys(h.files)) {
			answer.Siblings = append(answer.Siblings, sibling{name})
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			h.t.Error(err)
		}
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/"+h.name+"/resolve/"+h.commit+"/")
	data, known := h.files[name]
	if !ok || !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if len(data) <= small {
		sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data))
		w.Header().Set("ETag", `"`+cmp.Or(h.etag, hex.EncodeToString(sum[:]))+`"`)
		h.serve(w, r, name)
		return
	}
	sum := sha256.Sum256(data)
	w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
	w.Header().Set("X-Linked-Size", fmt.Sprint(len(data)))
	w.Header().Set("ETag", `"of the redirect"`)
	http.Redirect(w, r, h.store.URL+"/"+name, http.StatusFound) // another port of this host
}

func (h *hub) serve(w http.ResponseWriter, r *http.Request, name string) {
	data := h.files[name]
	h.mu.Lock()
	defer h.mu.Unlock()
	if name == h.damage {
		data = append([]byte("?"), data[1:]...)
	}
	from := 0
	if r.Method == http.MethodGet {
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		h.asked = append(h.asked, fmt.Sprintf("%s from %d", name, from))
	}
	if from > 0 && h.noRange != 0 {
		if r.Header.Del("Range"); h.noRange != http.StatusOK {
			w.WriteHeader(h.noRange)
			return
		}
		from = 0
	}
	if name == h.silent && r.Method == http.MethodGet {
		_, _ = w.Write(data[:len(data)/8])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	if h.broken[name] > 0 && r.Method == http.MethodGet {
		h.broken[name]--
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(data[from : from+(len(data)-from)/2])
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
}

// testHub serves the built-in model, into an empty cache.
func testHub(t *testing.T) *hub {
	h := &hub{t: t, name: "org/micro", commit: strings.Repeat("ab", 20), files: map[string][]byte{},
		broken: map[string]int{}}
	for _, name := range []string{"config.json", "vocab.json", "merges.txt", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join("..", "clip", "demo", name))
		if err != nil {
			t.Fatal(err)
		}
		h.files[name] = data
	}
	h.files["README.md"], h.files["pytorch_model.bin"] = []byte("not needed"), make([]byte, 5000)
	for _, v := range []string{"HF_TOKEN", "HF_HUB_OFFLINE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME",
		"HF_TOKEN_PATH"} {
		t.Setenv(v, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("HF_HUB_CACHE", filepath.Join(t.TempDir(), "hub"))
	t.Setenv("HF_ENDPOINT", h.start().URL)
	old := patience
	patience = time.Millisecond
	t.Cleanup(func() { patience = old })
	return h
}

func TestPull(t *testing.T) {
	h := testHub(t)
	h.token = "hf_secret"
	t.Setenv("HF_TOKEN", h.token)
	h.broken["model.safetensors"] = 2
	last := int64(0)
	p := Puller{Progress: func(file string, done, total int64) {
		if file == "model.safetensors" {
			if last = done; total != int64(len(h.files[file])) {
				t.Errorf("%d bytes of %d", done, total)
			}
		}
	}}
	dir, err := p.Pull(t.Context(), "org/micro")
	if err != nil {
		t.Fatal(err)
	}
	if last != int64(len(h.files["model.safetensors"])) {
		t.Errorf("progress ended at %d bytes", last)
	}
	if found, err := Locate("org/micro"); err != nil || found != dir {
		t.Errorf("Locate finds %q, %v, want %q", found, err, dir)
	}
	if _, err := checkpoint.Open(dir); err != nil {
		t.Error(err)
	}
	if names := entries(dir); len(names) != 4 {
		t.Errorf("the snapshot holds %v", names)
	}
	n := len(h.files["model.safetensors"])
	if want := fmt.Sprintf("model.safetensors from %d", n/2); !slices.Contains(h.asked, want) ||
		slices.Contains(h.asked, "pytorch_model.bin from 0") {
		t.Errorf("asked for %q, want %q among them and no pickle", h.asked, want)
	}
	h.asked = nil
	if again, err := p.Pull(t.Context(), "org/micro"); err != nil || again != dir || len(h.asked) > 0 {
		t.Errorf("again: %q, %v, asked for %q", again, err, h.asked)
	}
}

// A download that was killed goes on where it was, also in another process.
func TestPullResumes(t *testing.T) {
	h := testHub(t)
	h.broken["model.safetensors"] = 1
	ctx, cancel := context.WithCancel(t.Context())
	stop := Puller{Progress: func(file string, done, _ int64) {
		if file == "model.safetensors" && done > 1000 {
			cancel()
		}
	}}
	if _, err := stop.Pull(ctx, "org/micro"); err == nil {
		t.Fatal("an interrupted download is accepted")
	}
	if _, err := Locate("org/micro"); err == nil {
		t.Error("an interrupted download is found")
	}
	h.asked = nil
	if _, err := new(Puller).Pull(t.Context(), "org/micro"); err != nil {
		t.Fatal(err)
	}
	if len(h.asked) != 1 || strings.HasSuffix(h.asked[0], " from 0") {
		t.Errorf("asked for %q, want the rest of the weights alone", h.asked)
	}
}

func TestPullShards(t *testing.T) {
	h := testHub(t)
	delete(h.files, "model.safetensors")
	h.files["model.safetensors.index.json"] = []byte(`{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors","c":"model-1.safetensors"}}`)
	h.files["model-1.safetensors"], h.files["model-2.safetensors"] = []byte("one"), []byte("two")
	dir, err := new(Puller).Pull(t.Context(), "org/micro")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "model-2.safetensors")); err != nil || string(data) != "two" {
		t.Errorf("%q, %v", data, err)
	}
	for shard, want := range map[string]string{"../../../evil": "must lie beside their index",
		"absent": "is not a file of the model"} {
		h.files["model.safetensors.index.json"] = fmt.Appendf(nil, `{"weight_map":{"a":%q}}`, shard)
		if _, err := new(Puller).Pull(t.Context(), "org/micro"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("shard %s: %v, want %q", shard, err, want)
		}
	}
}

func TestPullRefuses(t *testing.T) {
	for _, c := range []struct {
		what, model, want string
		change            func(h *hub)
	}{
		{"damaged weights", "org/micro", "damaged on its way", func(h *hub) { h.damage = "model.safetensors" }},
		{"damaged configuration", "org/micro", "damaged on its way", func(h *hub) { h.damage = "config.json" }},
		{"dead connection", "org/micro", "several attempts brought no more",
			func(h *hub) { h.broken["config.json"] = 100; h.files["config.json"] = []byte("x") }},
		{"no Range", "org/micro", "several attempts brought no more",
			func(h *hub) { h.noRange, h.broken["model.safetensors"] = http.StatusOK, 1000 }},
		{"always 416", "org/micro", "several attempts brought no more",
			func(h *hub) { h.noRange, h.broken["model.safetensors"] = http.StatusRequestedRangeNotSatisfiable, 1000 }},
		{"silence", "org/micro", "the server fell silent", func(h *hub) {
			h.silent = "model.safetensors"
			h.t.Setenv("HF_HUB_DOWNLOAD_TIMEOUT", "0.1")
		}},
		{"no checksum", "org/micro", `etag "deadbeef" is no checksum`, func(h *hub) { h.etag = "deadbeef" }},
		{"gated", "org/micro", "set HF_TOKEN", func(h *hub) { h.token = "another" }},
		{"unknown", "org/mikro", "no such model", func(*hub) {}},
		{"no weights", "org/micro", "it is no model in a form",
			func(h *hub) { delete(h.files, "model.safetensors"); delete(h.files, "pytorch_model.bin") }},
		{"no commit", "org/micro", "is HF_ENDPOINT a hub?", func(h *hub) { h.commit = "../../etc" }},
		{"a path", "./micro", "want a name of the Hugging Face hub", func(*hub) {}},
		{"offline", "org/micro", "unset it", func(h *hub) { h.t.Setenv("HF_HUB_OFFLINE", "1") }},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := testHub(t)
			h.t = t
			c.change(h)
			if _, err := new(Puller).Pull(t.Context(), c.model); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if _, err := Locate("org/micro"); err == nil {
				t.Error("the model is found all the same")
			}
		})
	}
}

// The token goes to the hub, but not to another port of its host; the store of [testHub] complains if it does.
func TestTokenStays(t *testing.T) {
	h := testHub(t)
	h.token = "secret"
	t.Setenv("HF_TOKEN", "secret")
	if _, err := new(Puller).Pull(t.Context(), "org/micro"); err != nil {
		t.Error(err)
	}
}

// A blob that was damaged on the disk is fetched again.
func TestPullMends(t *testing.T) {
	h := testHub(t)
	dir, err := new(Puller).Pull(t.Context(), "org/micro")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	data := slices.Clone(h.files["model.safetensors"])
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := new(Puller).Pull(t.Context(), "org/micro"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, h.files["model.safetensors"]) {
		t.Error("the blob is as damaged as before: ", err)
	}
}

// A model in sentence-transformers' form lies one folder deeper, with its configuration.
func TestPullSubfolder(t *testing.T) {
	h := testHub(t)
	for _, name := range []string{"config.json", "vocab.json", "merges.txt", "model.safetensors"} {
		h.files["0_CLIPModel/"+name] = h.files[name]
		delete(h.files, name)
	}
	delete(h.files, "pytorch_model.bin")
	dir, err := new(Puller).Pull(t.Context(), "org/micro")
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil || c.Files[0] != filepath.Join(dir, "0_CLIPModel", "model.safetensors") {
		t.Error(err, c)
	}
	if vocabulary, err := VocabularyPath(c.Files[0], ""); err != nil || vocabulary != filepath.Join(dir, "0_CLIPModel") {
		t.Errorf("%q, %v", vocabulary, err)
	}
}

// OpenAI's files lie in a folder named by their checksum, and bring no vocabulary.
func TestPullOpenAI(t *testing.T) {
	h := testHub(t)
	h.name = vocabularyModel
	weights := []byte("weights")
	sum := sha256.Sum256(weights)
	oldHost, oldSum := openAIHost, openAISums["RN50"]
	t.Cleanup(func() { openAIHost, openAISums["RN50"] = oldHost, oldSum })
	openAISums["RN50"] = hex.EncodeToString(sum[:])
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/clip/models/"+openAISums["RN50"]+"/RN50.pt" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write(weights)
	}))
	defer cdn.Close()
	openAIHost = cdn.URL
	path, err := new(Puller).Pull(t.Context(), "RN50")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := Locate("RN50"); err != nil || found != path {
		t.Errorf("Locate finds %q, %v, want %q", found, err, path)
	}
	if vocabulary, err := VocabularyPath(path, ""); err != nil || !strings.Contains(vocabulary, "clip-vit-base-patch32") {
		t.Errorf("vocabulary %q, %v", vocabulary, err)
	}
	for model := range openAIModels {
		if len(openAISums[model]) != 64 {
			t.Errorf("%s has no checksum", model)
		}
	}
	weights = []byte("weighs")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := new(Puller).Pull(t.Context(), "RN50"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("other weights: %v", err)
	}
}

// Meta's files lie where torch.hub keeps them, checked where a checksum is known, and named with theirs where none is.
func TestPullMeta(t *testing.T) {
	testHub(t)
	t.Setenv("TORCH_HOME", t.TempDir())
	weights := []byte("weights")
	sum := sha256.Sum256(weights)
	const open, closed = "dino_vitbase8_pretrain.pth", "sam_vit_b_01ec64.pth"
	oldHost := metaHost
	t.Cleanup(func() { metaHost = oldHost })
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/"+metaFiles[open].path && r.URL.Path != "/"+metaFiles[closed].path {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write(weights)
	}))
	defer cdn.Close()
	metaHost = cdn.URL
	if _, err := Locate(open); err == nil || !strings.Contains(err.Error(), "ovbench pull "+open) {
		t.Errorf("error %v", err)
	}
	said := ""
	p := Puller{Unchecked: func(file, sum string) { said = file + " " + sum }}
	path, err := p.Pull(t.Context(), open)
	if err != nil || said != open+" "+hex.EncodeToString(sum[:]) {
		t.Fatalf("%v, said %q", err, said)
	}
	if found, err := Locate(open); err != nil || found != path {
		t.Errorf("Locate finds %q, %v, want %q", found, err, path)
	}
	if _, err := p.Pull(t.Context(), closed); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("other weights: %v", err)
	}
	if _, err := Locate(closed); err == nil {
		t.Error("damaged weights are kept")
	}
	if Checksummed(open) || !Checksummed(closed) || !Checksummed("openai/clip-vit-base-patch16") {
		t.Error("what is checked is not as Pull checks it")
	}
	for name, f := range metaFiles {
		if f.sum != "" && len(f.sum) != 64 {
			t.Errorf("%s has checksum %q", name, f.sum)
		}
	}
}
