package runners_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/cpu"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/dino"
	"ovbench/runners/dino/dinotest"
	"ovbench/runners/methods"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
	"ovbench/runners/tokenizer"
	"ovbench/runners/vit"
)

// vitB16 is a random ViT-B/16, made once a machine.
func vitB16(b testing.TB) *clip.Model {
	b.Helper()
	return randomModel(b, "vit-b-16", func(dir string) error { return cliptest.Write(dir, cliptest.ViTB16, 1) })
}

// randomModel is what write makes, once a machine.
func randomModel(b testing.TB, name string, write func(dir string) error) *clip.Model {
	b.Helper()
	dir := filepath.Join(os.TempDir(), "ovbench-bench-"+name)
	if _, err := os.Stat(dir); err != nil {
		temp, err := os.MkdirTemp(os.TempDir(), "ovbench-bench-*")
		if err != nil {
			b.Fatal(err)
		}
		if err := write(temp); err != nil {
			b.Fatal(err)
		}
		if err := os.Rename(temp, dir); err != nil {
			b.Fatal(err)
		}
	}
	m, err := clip.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// towersB16 are random ViT-B/16 of three families at full size, with text towers and vocabularies as large as theirs.
func towersB16(b testing.TB) map[string]*clip.Model {
	b.Helper()
	return map[string]*clip.Model{
		"clip": vitB16(b),
		"pe": randomModel(b, "pe-core-b-16", func(dir string) error {
			_, err := cliptest.WritePECore(dir, cliptest.PECoreB16, 1)
			return err
		}),
		"siglip": randomModel(b, "siglip2-b-16", func(dir string) error {
			return cliptest.Write(dir, cliptest.SigLIP2B16, 1)
		}),
	}
}

func noise(n int) tensor.Dense {
	rng := rand.New(rand.NewPCG(1, 2))
	x := tensor.New(1, 3, n, n)
	for i := range x.Data {
		x.Data[i] = rng.Float32()*4 - 2
	}
	return x
}

func tower(b testing.TB, m *clip.Model, o runners.ImageOptions, names ...string) *runners.Images {
	b.Helper()
	o.Height, o.Width = 512, 512
	images, err := runners.NewImages(library(b), m, named(b, names...), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { images.Close() })
	return images
}

// BenchmarkForward is one picture at 512 px through ViT-B/16: clip; clip and clip_surgery in one session; and clip with
// plain MatMul, Softmax and Sigmoid, once as ONNX Runtime's optimiser leaves it (which finds QuickGELU again) and once
// as written. The metrics are ratios of best times.
func BenchmarkForward(b *testing.B) {
	m, x := vitB16(b), noise(512)
	fused := runners.ImageOptions{Positions: vit.Bilinear}
	plain := fused
	plain.StandardOps = true
	written := plain
	written.Session.Optimize = ort.OptimizeBasic
	best := race(b, x, map[string]*runners.Images{
		"clip":    tower(b, m, fused, "clip"),
		"both":    tower(b, m, fused, "clip", "clip_surgery"),
		"plain":   tower(b, m, plain, "clip"),
		"written": tower(b, m, written, "clip"),
	})
	b.ReportMetric(best["clip"], "clip-sec")
	b.ReportMetric(best["both"]/best["clip"], "both/clip")
	b.ReportMetric(best["plain"]/best["clip"], "plain/clip")
	b.ReportMetric(best["written"]/best["clip"], "as-written/clip")
}

// BenchmarkTowers is one picture at 512 px, 1024 patches, through the image towers of PE-Core and SigLIP 2 against
// CLIP's of the same size, on one thread: up to the last LayerNorm, as method clip with the pool head, and opening and
// loading that graph. The metrics are ratios of processor seconds.
func BenchmarkTowers(b *testing.B) {
	lib, x := library(b), raw(noise(512))
	o := runners.ImageOptions{Height: 512, Width: 512, Session: ort.Options{Threads: 1}}
	best := map[string]float64{}
	took := func(name string, do func() error) {
		start := cpuSeconds(b)
		if err := do(); err != nil {
			b.Fatal(err)
		}
		keep(best, name, cpuSeconds(b)-start)
	}
	run := map[string]func() error{}
	for name, m := range towersB16(b) {
		pooled := tower(b, m, o, "clip")
		features := featuresOf(b, lib, &m.Encoder().(*clip.ViT).Tower, 512, o.Session)
		out := tensor.New(1, 1024, 768)
		run[name+" tower"] = func() error {
			return features.Run(b.Context(), []ort.Value{ort.Float32(x.Shape, x.Data)},
				[]ort.Value{ort.Float32(out.Shape, out.Data)})
		}
		run[name+" method"] = func() error {
			_, err := pooled.Tokens(b.Context(), x)
			return err
		}
		run[name+" load"] = func() error {
			m, err := clip.Open(m.Path)
			if err != nil {
				return err
			}
			images, err := runners.NewImages(lib, m, named(b, "clip"), o)
			if err != nil {
				return err
			}
			return images.Close()
		}
	}
	for b.Loop() {
		for name, do := range run {
			took(name, do)
		}
	}
	for _, name := range []string{"pe", "siglip"} {
		for _, what := range []string{"tower", "method", "load"} {
			b.ReportMetric(best[name+" "+what]/best["clip "+what], name+"/clip-"+what)
		}
	}
}

// featuresOf is a session of a vision tower on one picture of side x side pixels.
func featuresOf(b testing.TB, lib *ort.Library, t *vit.Tower, side int, o ort.Options) *ort.Session {
	b.Helper()
	g := onnx.New()
	g.Output("features", t.Features(g, g.Input("pixels", tensor.F32, 1, 3, side, side), vit.Bicubic))
	model, err := g.Model()
	if err != nil {
		b.Fatal(err)
	}
	s, err := lib.NewSession("features", model, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkVocabulary is what the text tower of SigLIP 2 takes of memory as 20 texts are encoded: its table of 256,000
// tokens, 0.79 GB, should stay in the file. The metrics are resident megabytes, and those of them that no file holds.
func BenchmarkVocabulary(b *testing.B) {
	m := towersB16(b)["siglip"]
	texts := make([]string, 20)
	for i := range texts {
		texts[i] = strconv.Itoa(i)
	}
	for b.Loop() {
		tower, err := runners.NewTexts(library(b), m, spread(m.Vocab), ort.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tower.Encode(b.Context(), texts, nil); err != nil {
			b.Fatal(err)
		}
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			b.Skip(err)
		}
		for field, metric := range map[string]string{"VmRSS:": "resident-MB", "RssAnon:": "anonymous-MB"} {
			_, rest, _ := strings.Cut(string(status), field)
			kB, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(kB/1000, metric)
		}
		tower.Close()
	}
}

// spread is a tokenizer of so many ids, whose texts are numbers and have tokens from all over the vocabulary.
type spread int

func (s spread) Size() int          { return int(s) }
func (s spread) Fits(rows int) bool { return rows == int(s) }
func (s spread) Padded(text string, context int, _ bool) ([]int32, error) {
	n, err := strconv.Atoi(text)
	ids := make([]int32, context)
	for i := range ids {
		ids[i] = int32((n*context + i) * 104729 % int(s))
	}
	return ids, err
}
func (s spread) Tokens(text string, context int, cut bool) ([]int32, error) {
	return s.Padded(text, context, cut)
}

// rivals are the methods whose cost beside plain CLIP is measured: cheap ones, and GEM, which attends six times a
// block.
var rivals = []string{"clip", "clip_surgery", "maskclip", "sclip", "clearclip", "naclip"}

// BenchmarkRivals is what more methods in one session cost, at the same positions for all: the metrics are ratios of
// best times.
func BenchmarkRivals(b *testing.B) {
	m, x := vitB16(b), noise(512)
	o := runners.ImageOptions{Positions: vit.Bilinear}
	best := race(b, x, map[string]*runners.Images{
		"one":   tower(b, m, o, "clip"),
		"alone": tower(b, m, o, "clip_surgery"),
		"six":   tower(b, m, o, rivals...),
		"seven": tower(b, m, o, append(rivals[:len(rivals):len(rivals)], "gem")...),
	})
	b.ReportMetric(best["one"], "clip-sec")
	b.ReportMetric(best["alone"]/best["one"], "surgery/clip")
	b.ReportMetric(best["six"]/best["one"], "six/clip")
	b.ReportMetric(best["seven"]/best["one"], "seven/clip")
}

// BenchmarkOpenSize compares a graph of open size with one built for 512 px. The metric is the ratio of best times.
func BenchmarkOpenSize(b *testing.B) {
	m, x := vitB16(b), noise(512)
	o := runners.ImageOptions{Positions: vit.Bilinear}
	best := race(b, x, map[string]*runners.Images{
		"open":  images(b, m, named(b, "clip", "clip_surgery"), o),
		"fixed": tower(b, m, o, "clip", "clip_surgery"),
	})
	b.ReportMetric(best["open"]/best["fixed"], "open/fixed")
}

// race lets image towers take turns on x, so that noise of the machine meets all alike, and tells each one's best
// seconds.
func race(b *testing.B, x tensor.Dense, towers map[string]*runners.Images) map[string]float64 {
	best := map[string]float64{}
	for b.Loop() {
		for name, t := range towers {
			start := time.Now()
			if _, err := t.Tokens(b.Context(), x); err != nil {
				b.Fatal(err)
			}
			keep(best, name, time.Since(start).Seconds())
		}
	}
	return best
}

// BenchmarkLoad is reading a ViT-B/16 checkpoint, building the graph of both methods and loading it.
func BenchmarkLoad(b *testing.B) {
	path := vitB16(b).Path
	lib := library(b)
	for _, mmap := range []bool{false, true} {
		b.Run(map[bool]string{false: "packed", true: "mapped"}[mmap], func(b *testing.B) {
			for b.Loop() {
				m, err := clip.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				images, err := runners.NewImages(lib, m, named(b, "clip", "clip_surgery"), runners.ImageOptions{
					Height: 512, Width: 512, Session: ort.Options{Mmap: mmap},
				})
				if err != nil {
					b.Fatal(err)
				}
				images.Close()
			}
		})
	}
}

// BenchmarkPyTorch compares with testdata/peer.py in the same run, at the same number of threads: each method alone,
// all in the best pass that one can write there, in f32 and, where the processor has it, in bf16, against one session
// here in f32. Both sides take turns. The metrics are ratios of processor seconds, the least and the largest of the
// repeats: other work on the machine lengthens them less than those of the clock. OVBENCH_PYTHON names a Python with
// torch, safetensors and numpy, OVBENCH_BENCH_METHODS the methods if not seven.
func BenchmarkPyTorch(b *testing.B) {
	python := os.Getenv("OVBENCH_PYTHON")
	if python == "" {
		b.Skip("set OVBENCH_PYTHON to a Python with torch, safetensors and numpy")
	}
	names := append(rivals[:len(rivals):len(rivals)], "gem")
	if list := os.Getenv("OVBENCH_BENCH_METHODS"); list != "" {
		names = strings.Split(list, ",")
	}
	m, x := vitB16(b), noise(512)
	dir := b.TempDir()
	f, err := os.Create(filepath.Join(dir, "pixels.npy"))
	if err != nil {
		b.Fatal(err)
	}
	if err := tensor.WriteNPY(f, x); err != nil {
		b.Fatal(err)
	}
	f.Close()
	session := tower(b, m, runners.ImageOptions{Positions: vit.Bilinear}, names...)
	ratios := map[string][]float64{}
	for b.Loop() {
		const repeats = 3
		var ours [repeats]float64
		var results []runners.Batch
		for i := range 1 + repeats { // the first warms up
			start := cpuSeconds(b)
			if results, err = session.Tokens(b.Context(), raw(x)); err != nil {
				b.Fatal(err)
			}
			if i > 0 {
				ours[i-1] = cpuSeconds(b) - start
			}
		}
		precisions := []string{"f32"}
		if cpu.X86.HasAVX512BF16 || cpu.X86.HasAMXBF16 { // elsewhere PyTorch would emulate it, at length
			precisions = append(precisions, "bf16")
		}
		for _, precision := range precisions {
			args := append([]string{"testdata/peer.py", m.Path, filepath.Join(dir, "pixels.npy"),
				strconv.Itoa(runtime.GOMAXPROCS(0)), strconv.Itoa(repeats), precision, dir}, names...)
			out, err := exec.CommandContext(b.Context(), python, args...).Output()
			if err != nil {
				b.Fatal(err)
			}
			var peer struct {
				Seconds map[string][repeats][2]float64
			}
			if err := json.Unmarshal(out, &peer); err != nil {
				b.Fatal(err)
			}
			for i := range repeats {
				alone := 0.0
				for _, name := range names {
					alone += peer.Seconds[name][i][0]
				}
				ratios[precision+"-alone"] = append(ratios[precision+"-alone"], alone/ours[i])
				ratios[precision+"-one-pass"] = append(ratios[precision+"-one-pass"], peer.Seconds["one pass"][i][0]/ours[i])
			}
			for i, name := range session.Methods() {
				for _, file := range []string{name, name + " in one pass"} {
					if d := distance(results[i].Values, load(b, filepath.Join(dir, file+".npy"))); precision == "f32" &&
						!(d < tolerance) {
						b.Errorf("%s: distance %.2g from PyTorch", file, d)
					}
				}
			}
		}
	}
	for name, list := range ratios {
		b.ReportMetric(slices.Min(list), name+"/ours-min")
		b.ReportMetric(slices.Max(list), name+"/ours-max")
	}
}

// nine are the methods that read one CLIP, and all that is shared is shared.
var nine = []string{"clip", "clip_surgery", "maskclip", "sclip", "clearclip", "naclip", "gem", "sc_clip", "resclip"}

// BenchmarkNine is what nine methods cost beside one, ResCLIP's step between two graphs with them, and what refining
// the maps of all by PAMR costs beside the network: NACLIP's protocol, six windows, a picture of 640x480, 171 classes.
// The metrics are ratios of processor seconds.
func BenchmarkNine(b *testing.B) {
	m := vitB16(b)
	texts := tensor.New(171, m.Embed)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range texts.Data {
		texts.Data[i] = float32(rng.NormFloat64()) / 22
	}
	o := runners.ImageOptions{Positions: vit.Bilinear, Similarities: true}
	all, one := images(b, m, named(b, nine...), o), images(b, m, named(b, "clip"), o)
	spent := map[string]float64{}
	took := func(name string, do func()) {
		start := cpuSeconds(b)
		do()
		keep(spent, name, cpuSeconds(b)-start)
	}
	square, oblong := raw(noise(512)), tensor.New(1, 3, 336, 448)
	for i := range oblong.Data {
		oblong.Data[i] = float32(rng.IntN(256))
	}
	run := func(r *runners.Images) {
		if _, err := r.Similarities(b.Context(), square, texts); err != nil {
			b.Fatal(err)
		}
	}
	run(all)
	run(one)
	const w, h = 640, 480
	for b.Loop() {
		took("nine", func() { run(all) })
		took("one", func() { run(one) })
		var scan runners.Scan
		took("windows", func() {
			var err error
			if scan, err = all.Scan(b.Context(), runners.Picture{Pixels: oblong}, runners.Sliding{Window: 224, Stride: 112},
				runners.TextSet{Texts: texts}); err != nil {
				b.Fatal(err)
			}
		})
		took("refine", func() {
			colours := make([]float32, 3*w*h)
			for c := range 3 {
				resample.Bilinear(colours[c*w*h:][:w*h], w, h, oblong.Data[c*448*336:][:448*336], 448, 336)
			}
			pamr := resample.NewPAMR(colours, w, h)
			labels := make([]uint16, w*h)
			for k := range nine {
				scan.Mosaic(k, 0, 171).Refine(labels, w, h, resample.Rule{Scale: 40}, pamr, 10)
			}
		})
	}
	b.ReportMetric(spent["nine"]/spent["one"], "nine/clip")
	b.ReportMetric(spent["refine"]/spent["windows"], "refined/network")
	b.ReportMetric(spent["windows"], "windows-cpu-sec")
}

// BenchmarkWindows is SCLIP's protocol, six windows of 224 of a picture of 640x480 and labels of 171 classes, beside
// one run of the network on the same six windows: by sclip for both, and against clip. The metrics are ratios of the
// best processor seconds.
func BenchmarkWindows(b *testing.B) {
	m := vitB16(b)
	rng := rand.New(rand.NewPCG(3, 4))
	texts := tensor.New(171, m.Embed)
	for i := range texts.Data {
		texts.Data[i] = float32(rng.NormFloat64()) / 22
	}
	whole, cut := tensor.New(1, 3, 336, 448), tensor.New(6, 3, 224, 224)
	for _, x := range []tensor.Dense{whole, cut} {
		for i := range x.Data {
			x.Data[i] = float32(rng.IntN(256))
		}
	}
	o := runners.ImageOptions{Positions: vit.Bilinear, Similarities: true}
	sclip, plain := images(b, m, named(b, "sclip"), o), images(b, m, named(b, "clip"), o)
	spent := map[string]float64{}
	took := func(name string, do func() error) {
		start := cpuSeconds(b)
		if err := do(); err != nil {
			b.Fatal(err)
		}
		keep(spent, name, cpuSeconds(b)-start)
	}
	network := func(r *runners.Images) func() error {
		return func() error {
			_, err := r.Similarities(b.Context(), cut, texts)
			return err
		}
	}
	labels := make([]uint16, 640*480)
	for b.Loop() {
		took("sclip", network(sclip))
		took("clip", network(plain))
		took("windows", func() error {
			scan, err := sclip.Scan(b.Context(), runners.Picture{Pixels: whole}, runners.Sliding{Window: 224, Stride: 112},
				runners.TextSet{Texts: texts})
			if err == nil {
				scan.Mosaic(0, 0, 171).Decode(labels, 640, 480, resample.Rule{Scale: 40})
			}
			return err
		})
	}
	b.ReportMetric(spent["windows"]/spent["sclip"], "windows/network")
	b.ReportMetric(spent["windows"]/spent["clip"], "windows/clip")
	b.ReportMetric(spent["clip"], "clip-cpu-sec")
}

// BenchmarkBackbone is what ProxyCLIP with DINO ViT-B/16 costs beside three methods of CLIP alone, in one session at 336
// px, with positions as ProxyCLIP's protocol has them for all, over one forward pass of CLIP and one of DINO. The metric
// is a ratio of processor seconds.
func BenchmarkBackbone(b *testing.B) {
	m := vitB16(b)
	file := filepath.Join(b.TempDir(), "dino.safetensors")
	if err := dinotest.Write(file, dinotest.Shape{Image: 224, Patch: 16, Width: 768, Layers: 12}, 1); err != nil {
		b.Fatal(err)
	}
	second, err := dino.Open(file, "dino")
	if err != nil {
		b.Fatal(err)
	}
	session := ort.Options{Threads: 1} // several wait for each other, which counts as work
	o := runners.ImageOptions{Height: 336, Width: 336, Positions: vit.Bicubic, Session: session,
		Backbones: map[string]methods.Backbone{"dino": &second.Tower}}
	open := func(names ...string) *runners.Images {
		r, err := runners.NewImages(library(b), m, named(b, names...), o)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { r.Close() })
		return r
	}
	alone := featuresOf(b, library(b), &second.Tower, 336, session)
	pixels, features := raw(noise(336)), tensor.New(1, 441, 768)
	tokens := func(r *runners.Images) func() {
		return func() {
			if _, err := r.Tokens(b.Context(), pixels); err != nil {
				b.Fatal(err)
			}
		}
	}
	runs := map[string]func(){
		"all": tokens(open("clip", "clip_surgery", "naclip", "proxyclip")), "clip": tokens(open("clip")),
		"dino": func() {
			if err := alone.Run(b.Context(), []ort.Value{ort.Float32(pixels.Shape, pixels.Data)},
				[]ort.Value{ort.Float32(features.Shape, features.Data)}); err != nil {
				b.Fatal(err)
			}
		},
	}
	for _, do := range runs {
		do()
	}
	spent := map[string]float64{}
	for b.Loop() {
		for name, do := range runs {
			start := cpuSeconds(b)
			do()
			keep(spent, name, cpuSeconds(b)-start)
		}
	}
	b.ReportMetric(spent["all"]/(spent["clip"]+spent["dino"]), "all/(clip+dino)")
}

// cpuSeconds is what all cores together have worked for this process.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// keep keeps the best seconds.
func keep[K comparable](best map[K]float64, key K, s float64) {
	if old, ok := best[key]; !ok || s < old {
		best[key] = s
	}
}

// BenchmarkPrompts encodes 59 class names in 85 templates with ViT-B/16's text tower: as ovbench does, and padded to 77
// tokens. Both take a part of the prompts each round; the metric is the ratio of the times per prompt.
func BenchmarkPrompts(b *testing.B) {
	dir := golden(b)
	var classes []string
	loadJSON(b, filepath.Join(dir, "..", "classes", "pascal_context59_demo_labels.json"), &classes)
	templates, err := clip.Templates("surgery85")
	if err != nil {
		b.Fatal(err)
	}
	tok, err := tokenizer.Load(filepath.Join(dir, "clip-vocabulary"))
	if err != nil {
		b.Fatal(err)
	}
	lib, m := library(b), vitB16(b)
	tower, err := runners.NewTexts(lib, m, tok, ort.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer tower.Close()
	model, err := m.TextGraph(false).Model()
	if err != nil {
		b.Fatal(err)
	}
	padded, err := lib.NewSession("padded", model, ort.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer padded.Close()
	var short, long time.Duration
	var distant float64
	for b.Loop() {
		start := time.Now()
		all, err := tower.Ensemble(b.Context(), classes, templates, nil)
		if err != nil {
			b.Fatal(err)
		}
		short += time.Since(start)
		// One class of 85 prompts stands for the padded rest: all rows cost the same.
		start = time.Now()
		one := encodePadded(b, padded, m, tok, classes[7], templates)
		long += time.Since(start) * time.Duration(len(classes))
		distant = max(distant, distance(all.At(7), one))
	}
	if distant > 1e-5 {
		b.Errorf("cut prompts are %.2g from padded ones", distant)
	}
	b.ReportMetric(long.Seconds()/short.Seconds(), "padded/cut")
	b.ReportMetric(short.Seconds()/float64(b.N), "cut-sec")
}

// encodePadded is the ensemble of one class from prompts padded to the full context.
func encodePadded(b *testing.B, s *ort.Session, m *clip.Model, tok *tokenizer.Tokenizer, class string,
	templates []string) tensor.Dense {
	n := len(templates)
	ids, positions, last := make([]int64, 0, n*m.Context), make([]int64, m.Context), make([]int64, n)
	for i, t := range templates {
		row, err := tok.Padded(clip.Fill(t, class), m.Context, false)
		if err != nil {
			b.Fatal(err)
		}
		for k, id := range row {
			ids = append(ids, int64(id))
			if id == tok.EOT() {
				last[i] = int64(i*m.Context + k)
			}
		}
	}
	for i := range positions {
		positions[i] = int64(i)
	}
	out := tensor.New(n, m.Embed)
	in := []ort.Value{ort.Int64([]int{n, m.Context}, ids), ort.Int64([]int{m.Context}, positions),
		ort.Int64([]int{n}, last)}
	if err := s.Run(b.Context(), in, []ort.Value{ort.Float32(out.Shape, out.Data)}); err != nil {
		b.Fatal(err)
	}
	mean := tensor.New(m.Embed)
	norm := func(x []float32) float32 {
		sum := 0.0
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		return float32(math.Sqrt(sum))
	}
	for i := range n {
		row := out.At(i).Data
		l := norm(row)
		for k, v := range row {
			mean.Data[k] += v / l / float32(n)
		}
	}
	l := norm(mean.Data)
	for k := range mean.Data {
		mean.Data[k] /= l
	}
	return mean
}
