package hub

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"ovbench/runners/files"
)

// metaHost is where Meta's files lie.
var metaHost = "https://dl.fbaipublicfiles.com"

// metaFile is a checkpoint that Meta serves as a file, and torch.hub keeps under its last name.
type metaFile struct {
	path string // below metaHost
	sum  string // SHA-256; "" where Meta publishes none and none is known
}

// metaFiles are those that ovbench reads, by their names. torch.hub loads the files of DINO and DINOv2 without a
// check: their names hold no part of a checksum.
var metaFiles = func() map[string]metaFile {
	out := map[string]metaFile{}
	for _, f := range []metaFile{
		{"dino/dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth", ""},
		{"dino/dino_deitsmall8_pretrain/dino_deitsmall8_pretrain.pth", ""},
		{"dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth", ""},
		{"dino/dino_vitbase8_pretrain/dino_vitbase8_pretrain.pth", ""},
		{"dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth", ""},
		{"dinov2/dinov2_vits14/dinov2_vits14_reg4_pretrain.pth", ""},
		{"dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth", ""},
		{"dinov2/dinov2_vitb14/dinov2_vitb14_reg4_pretrain.pth", ""},
		{"dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth", ""},
		{"dinov2/dinov2_vitl14/dinov2_vitl14_reg4_pretrain.pth", ""},
		{"segment_anything/sam_vit_b_01ec64.pth", "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"},
		{"segment_anything/sam_vit_l_0b3195.pth", "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622"},
		{"segment_anything/sam_vit_h_4b8939.pth", "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e"},
	} {
		out[path.Base(f.path)] = f
	}
	return out
}()

// Checksummed reports whether a model that [Puller.Pull] takes by name is checked when it arrives.
func Checksummed(model string) bool {
	f, ok := metaFiles[model]
	return !ok || f.sum != ""
}

// torchCache is where torch.hub keeps checkpoints.
func torchCache() string {
	home := cmp.Or(os.Getenv("TORCH_HOME"),
		filepath.Join(cmp.Or(os.Getenv("XDG_CACHE_HOME"), filepath.Join(homeDir(), ".cache")), "torch"))
	return filepath.Join(home, "hub", "checkpoints")
}

// locateMeta finds one of Meta's files.
func locateMeta(name string) (string, error) {
	at := filepath.Join(torchCache(), name)
	if _, err := os.Stat(at); err != nil {
		return "", fmt.Errorf("model %q: no such file, nor %s: download it with: ovbench pull %s", name, at, name)
	}
	return at, nil
}

// pullMeta downloads one of Meta's files.
func (p *Puller) pullMeta(ctx context.Context, name string) (string, error) {
	f := metaFiles[name]
	d := download{client: p.client(), url: metaHost + "/" + f.path, size: -1, sum: f.sum, unchecked: f.sum == "",
		target: filepath.Join(torchCache(), name), lock: filepath.Join(torchCache(), "."+name+".lock"),
		progress: p.telling(name)}
	if err := d.fetch(ctx); err != nil {
		return "", fmt.Errorf("model %q: %w", name, err)
	}
	if d.unchecked && p.Unchecked != nil {
		sum, err := sumOf(d.target)
		if err != nil {
			return "", err
		}
		p.Unchecked(name, sum)
	}
	return d.target, nil
}

// sumOf is the SHA-256 of a file, in hexadecimal.
func sumOf(name string) (string, error) {
	f, err := files.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
