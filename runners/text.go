package runners

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/textcache"
)

// TextModel is an image-text model as [Texts] sees it; clip.Model is one.
type TextModel interface {
	Source() string // where it lies, for messages
	Space() int     // width E of the space that images and texts share
	Tokens() clip.TextInput
	// TextGraph is the text tower: of embeddings of texts, or of those of all their tokens. clip.Model says what it takes.
	TextGraph(tokens bool) *onnx.Graph
}

// Tokenizer turns texts into token ids.
type Tokenizer interface {
	Size() int          // of the vocabulary
	Fits(rows int) bool // whether a token embedding of so many rows is of this vocabulary
	// Tokens are the ids of a text from its start to its end token, or why they are more than context.
	Tokens(text string, context int, truncate bool) ([]int32, error)
	// Padded are the same, with padding up to context.
	Padded(text string, context int, truncate bool) ([]int32, error)
}

// Texts runs a text tower, which is loaded when first needed. It may be used from many goroutines; Close it when done.
type Texts struct {
	lib       *ort.Library
	model     TextModel
	tokenizer Tokenizer
	options   ort.Options
	cache     *textcache.Cache // nil: none

	mu      sync.Mutex
	session *ort.Session // nil until needed
}

// NewTexts is the text tower of m. It computes in f32 whatever o says: prompts are few, and remembered.
func NewTexts(lib *ort.Library, m TextModel, t Tokenizer, o ort.Options) (*Texts, error) {
	if err := CheckVocabulary(m, t); err != nil {
		return nil, err
	}
	return &Texts{lib: lib, model: m, tokenizer: t, options: o.Exact()}, nil
}

// Remember has prompts looked up in c, and those that are not there kept in it. It is called before any work.
func (t *Texts) Remember(c *textcache.Cache) { t.cache = c }

// tower is the loaded session.
func (t *Texts) tower() (*ort.Session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session != nil {
		return t.session, nil
	}
	model, err := t.model.TextGraph(false).Model()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.model.Source(), err)
	}
	t.session, err = t.lib.NewSession(t.model.Source()+", text tower", model, t.options)
	return t.session, err
}

// CheckVocabulary says if the token ids of t are not those that m was trained with.
func CheckVocabulary(m TextModel, t Tokenizer) error {
	if known := m.Tokens().Vocabulary; !t.Fits(known) {
		return fmt.Errorf("%s: the vocabulary has %d entries, the model %d token embeddings, which is no padding: it "+
			"belongs to another model; name the right one with --vocab", m.Source(), t.Size(), known)
	}
	return nil
}

// Close frees the session.
func (t *Texts) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session == nil {
		return nil
	}
	return t.session.Close()
}

// batchTokens bounds the tokens of one run: enough to keep the cores busy, little enough for their caches.
const batchTokens = 1024

// Encode is the un-normalised embeddings [T, E] of texts, one row each. Equal texts are encoded once, in batches
// of equal length, cut at their end token. progress, if not nil, is told how many are done of the distinct texts that
// are not known yet.
func (t *Texts) Encode(ctx context.Context, texts []string, progress func(done, total int)) (tensor.Dense, error) {
	ids := make([][]int32, len(texts))
	for i, text := range texts {
		var err error
		if ids[i], err = t.tokens(text); err != nil {
			return tensor.Dense{}, err
		}
	}
	return t.encode(ctx, ids, progress)
}

// tokens are the ids of a text up to the token whose embedding the model reads: nothing behind it has an effect.
func (t *Texts) tokens(text string) ([]int32, error) {
	in := t.model.Tokens()
	if in.Padded {
		return t.tokenizer.Padded(text, in.Context, in.Truncated)
	}
	ids, err := t.tokenizer.Tokens(text, in.Context, in.Truncated)
	if err != nil {
		return nil, err
	}
	return in.Cut(ids), nil
}

func (t *Texts) encode(ctx context.Context, ids [][]int32, progress func(done, total int)) (tensor.Dense, error) {
	out := tensor.New(len(ids), t.model.Space())
	names := make([]textcache.ID, len(ids))
	first := map[textcache.ID]int{}
	var distinct []int
	for i := range ids {
		names[i] = textcache.IDOf(ids[i])
		if _, known := first[names[i]]; !known {
			first[names[i]] = i
			distinct = append(distinct, i)
		}
	}
	missing, unlock := t.recall(ctx, names, distinct, out)
	defer unlock()
	slices.SortStableFunc(missing, func(a, b int) int {
		return cmp.Or(cmp.Compare(len(ids[a]), len(ids[b])), slices.Compare(ids[a], ids[b]))
	})
	var done []int // and not yet kept
	for n := 0; n < len(missing); {
		batch := sameLength(ids, missing[n:])
		if err := t.runBatch(ctx, ids, batch, out); err != nil {
			t.keep(names, done, out)
			return tensor.Dense{}, err
		}
		if done = append(done, batch...); len(done) >= keptTogether {
			t.keep(names, done, out)
			done = nil
		}
		if n += len(batch); progress != nil {
			progress(n, len(missing))
		}
	}
	t.keep(names, done, out)
	for i, name := range names {
		if at := first[name]; at != i {
			copy(out.At(i).Data, out.At(at).Data)
		}
	}
	return out, nil
}

// sameLength is as many of the texts at the beginning of a list as are equally long and fit a batch.
func sameLength(ids [][]int32, texts []int) []int {
	length := len(ids[texts[0]])
	n := 1
	for n < len(texts) && len(ids[texts[n]]) == length && (n+1)*length <= batchTokens {
		n++
	}
	return texts[:n]
}

// keptTogether is how many prompts are encoded before they are kept, for the case that the program ends.
const keptTogether = 4096

// recall fills in what the cache knows of texts, and lists the others. Until unlock is called no other process encodes
// for this cache: it waits, and then finds what it needs.
func (t *Texts) recall(ctx context.Context, names []textcache.ID, texts []int, out tensor.Dense) (missing []int,
	unlock func()) {
	unlock = func() {}
	if t.cache == nil {
		return slices.Clone(texts), unlock
	}
	for try := range 2 {
		missing = nil
		for _, i := range t.cache.Fill(rowsOf(names, texts, out)) {
			missing = append(missing, texts[i])
		}
		if texts = missing; len(missing) == 0 || try == 1 {
			break
		}
		unlock = t.cache.Lock(ctx)
	}
	return missing, unlock
}

// keep adds encoded texts to the cache. One that cannot be written to keeps nothing.
func (t *Texts) keep(names []textcache.ID, texts []int, out tensor.Dense) {
	if t.cache != nil {
		_ = t.cache.Add(rowsOf(names, texts, out))
	}
}

// rowsOf are the names of some texts, and their rows.
func rowsOf(names []textcache.ID, texts []int, all tensor.Dense) (ids []textcache.ID, rows [][]float32) {
	for _, i := range texts {
		ids, rows = append(ids, names[i]), append(rows, all.At(i).Data)
	}
	return ids, rows
}

// runBatch encodes texts of equal length into their rows of out.
func (t *Texts) runBatch(ctx context.Context, ids [][]int32, batch []int, out tensor.Dense) error {
	n, length := len(batch), len(ids[batch[0]])
	flat := make([]int64, 0, n*length)
	last := make([]int64, n)
	positions := make([]int64, length)
	for k, i := range batch {
		for _, id := range ids[i] {
			flat = append(flat, int64(id))
		}
		last[k] = int64((k+1)*length - 1)
	}
	for i := range positions {
		positions[i] = int64(i)
	}
	session, err := t.tower()
	if err != nil {
		return err
	}
	result := tensor.New(n, t.model.Space())
	in := []ort.Value{ort.Int64([]int{n, length}, flat), ort.Int64([]int{length}, positions), ort.Int64([]int{n}, last)}
	if err := session.Run(ctx, in, []ort.Value{ort.Float32(result.Shape, result.Data)}); err != nil {
		return err
	}
	for k, i := range batch {
		copy(out.At(i).Data, result.At(k).Data)
	}
	return nil
}

// CheckTexts says in words which of the texts, in the longest of the templates, have more tokens than m reads, "" for
// none. Where the libraries of m's family cut such texts this is all there is to it, else it is an error.
func CheckTexts(m TextModel, t Tokenizer, texts, templates []string) (cut string, err error) {
	in := m.Tokens()
	longest := slices.MaxFunc(templates, func(a, b string) int {
		return cmp.Compare(len(clip.Fill(a, "")), len(clip.Fill(b, "")))
	})
	long := 0
	var first error
	for _, text := range texts {
		prompt := clip.Fill(longest, text)
		_, err := t.Tokens(prompt, in.Context, false)
		if err == nil {
			continue
		}
		if _, cannot := t.Tokens(prompt, in.Context, true); cannot != nil || !in.Truncated {
			return "", err
		}
		long++
		first = cmp.Or(first, err)
	}
	if long == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d of %d texts are cut at their end, as the model's library does: %v", long, len(texts), first),
		nil
}

// Ensemble is one normalised embedding per text [T, E]: the text is put into every template, the embeddings are
// normalised, averaged and normalised again (CLIP's prompt ensemble).
func (t *Texts) Ensemble(ctx context.Context, texts, templates []string, progress func(done, total int)) (tensor.Dense,
	error) {
	p, err := t.Prompts(ctx, texts, templates, progress)
	if err != nil {
		return tensor.Dense{}, err
	}
	return p.Ensemble(nil), nil
}

// Prompts are texts put into templates, one by one.
type Prompts struct {
	all       tensor.Dense // embeddings [T·M, E] of text after text in all templates, un-normalised
	templates int          // M
}

// NewPrompts is that of embeddings [T·M, E] of text after text in all of so many templates.
func NewPrompts(all tensor.Dense, templates int) Prompts { return Prompts{all, templates} }

// Prompts encodes every text in every template.
func (t *Texts) Prompts(ctx context.Context, texts, templates []string, progress func(done, total int)) (Prompts,
	error) {
	prompts := make([]string, 0, len(texts)*len(templates))
	for _, text := range texts {
		for _, template := range templates {
			prompts = append(prompts, clip.Fill(template, text))
		}
	}
	all, err := t.Encode(ctx, prompts, progress)
	if err != nil {
		return Prompts{}, err
	}
	for i, prompt := range prompts {
		if scale := 1 / norm(all.At(i).Data); !(scale < math.MaxFloat32) {
			return Prompts{}, fmt.Errorf("%s: the embedding of %q is NaN or 0: the weights are damaged", t.model.Source(),
				prompt)
		}
	}
	return Prompts{all, len(templates)}, nil
}

// Ensemble is one normalised embedding per text [T, E] of some templates, by their numbers; nil is all.
func (p Prompts) Ensemble(templates []int) tensor.Dense {
	if templates == nil {
		for k := range p.templates {
			templates = append(templates, k)
		}
	}
	width := p.all.Shape[1]
	out := tensor.New(p.all.Shape[0]/p.templates, width)
	mean := make([]float64, width)
	for i := range out.Shape[0] {
		clear(mean)
		for _, k := range templates {
			row := p.all.At(i*p.templates + k).Data
			scale := 1 / norm(row)
			for c, v := range row {
				mean[c] += float64(v) * scale
			}
		}
		row := out.At(i).Data
		for c, v := range mean {
			row[c] = float32(v / float64(len(templates)))
		}
		scale := 1 / norm(row)
		for c := range row {
			row[c] = float32(float64(row[c]) * scale)
		}
	}
	return out
}

func norm(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
