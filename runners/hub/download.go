package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ovbench/runners/files"

	"github.com/gofrs/flock"
)

// download is one file on its way to the disk. What has arrived lies beside the target under the name
// target.incomplete, where a later attempt goes on.
type download struct {
	client    *http.Client
	url       string
	token     string // of the hub; only the first host and port get it
	target    string
	lock      string // file that one process holds while it writes the target
	size      int64  // bytes; negative if the server does not say
	sum       string // hexadecimal SHA-256, or the SHA-1 of git
	unchecked bool   // no checksum is known: what arrived whole is taken as it is
	progress  func(done, total int64)
}

// attempts bounds how often a transfer that broke off is taken up again without worthwhile bytes arriving in between. A
// server that fell silent counts double.
const attempts = 5

// worthwhile reports whether an attempt that brought the file to end bytes, from most at best before, counts as none:
// for 64 KiB, or a quarter of what was missing.
func (d *download) worthwhile(most, end int64) bool {
	enough := int64(64 << 10)
	if d.size >= 0 {
		enough = min(enough, (d.size-most)/4+1)
	}
	return end-most >= enough
}

// patience is the time before a broken transfer is taken up again, doubled each time.
var patience = time.Second

// silence is how long a server may send nothing; HF_HUB_DOWNLOAD_TIMEOUT is in seconds, as huggingface_hub has it.
func silence() time.Duration {
	if s, err := strconv.ParseFloat(os.Getenv("HF_HUB_DOWNLOAD_TIMEOUT"), 64); err == nil && s > 0 && s < 1e6 {
		return time.Duration(s * float64(time.Second))
	}
	return 10 * time.Second
}

// errSilent ends a request to a server that sends nothing.
var errSilent = errors.New("the server fell silent")

// watched is ctx until the server was silent for too long: since the start, or since heard was last called.
func watched(ctx context.Context) (_ context.Context, heard, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	limit := silence()
	timer := time.AfterFunc(limit, func() { cancel(errSilent) })
	return ctx, func() { timer.Reset(limit) }, func() { timer.Stop(); cancel(nil) }
}

// silent names the server's silence as what ended a request.
func silent(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return err
}

// fetch brings the file, whole and with the right checksum, to the target. A target that has it is left as it is.
func (d *download) fetch(ctx context.Context) error {
	for _, dir := range []string{filepath.Dir(d.target), filepath.Dir(d.lock)} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	}
	lock := flock.New(d.lock)
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return fmt.Errorf("%s: lock: %w", d.lock, err)
	}
	defer lock.Close()
	if there, err := d.there(); there || err != nil {
		return err
	}
	part := d.target + ".incomplete"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := d.fill(ctx, f); err != nil {
		return err
	}
	if err := d.verify(f); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	return os.Rename(part, d.target)
}

// there reports whether the target is what it should be. One that was damaged is removed.
func (d *download) there() (bool, error) {
	f, err := files.Open(d.target)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if d.size < 0 || info.Size() == d.size {
		if d.verify(f) == nil {
			d.report(info.Size())
			return true, nil
		}
	}
	return false, os.Remove(d.target)
}

// fill asks for what f lacks until all of it is there.
func (d *download) fill(ctx context.Context, f *os.File) error {
	wait := patience
	most := int64(0) // bytes that were there at once
	for failed := 0; ; {
		have, err := f.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if d.size >= 0 && have > d.size { // of another version
			if have, err = 0, f.Truncate(0); err != nil {
				return err
			}
		}
		if have == d.size {
			return nil
		}
		end, err := d.take(ctx, f, have)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case isFinal(err):
			return err
		case errors.Is(err, errSilent):
			failed += 2
		case d.worthwhile(max(most, have), end):
			failed, wait = 1, patience
		default:
			failed++
		}
		most = max(most, have, end)
		if failed >= attempts {
			return fmt.Errorf("%w (several attempts brought no more; what arrived is kept, the same command goes on from there)",
				err)
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// finalError is an answer that will be the same the next time.
type finalError struct{ error }

func isFinal(err error) bool {
	var f finalError
	return errors.As(err, &f)
}

// take appends one answer to f, which holds the first have bytes, and returns how many it holds then.
func (d *download) take(ctx context.Context, f *os.File, have int64) (int64, error) {
	ctx, heard, stop := watched(ctx)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return 0, finalError{err}
	}
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, silent(ctx, err)
	}
	heard()
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusPartialContent:
		if want := fmt.Sprintf("bytes %d-", have); !strings.HasPrefix(resp.Header.Get("Content-Range"), want) {
			return 0, finalError{fmt.Errorf("%s: asked for bytes from %d on, got %.80q", d.url, have,
				resp.Header.Get("Content-Range"))}
		}
	case http.StatusOK: // from the start, asked or not
		if err := f.Truncate(0); err != nil {
			return 0, finalError{err}
		}
		have = 0
	case http.StatusRequestedRangeNotSatisfiable: // what is there is of another version
		return 0, errors.Join(statusErrorOnce(d.url, resp), f.Truncate(0))
	default:
		return 0, statusError(d.url, resp)
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return 0, finalError{err}
	}
	body := io.Reader(resp.Body)
	if d.size >= 0 {
		body = io.LimitReader(resp.Body, d.size-have+1) // one byte more tells a file that is too long
	}
	n, err := io.Copy(&meter{f, have, d, heard}, body)
	end := have + n
	switch {
	case err != nil:
		return end, fmt.Errorf("%s: %w", d.url, silent(ctx, err))
	case d.size >= 0 && end > d.size:
		return end, finalError{fmt.Errorf("%s: more than the %d bytes that were announced", d.url, d.size)}
	case end < d.size:
		return end, fmt.Errorf("%s: broke off after %d of %d bytes", d.url, end, d.size)
	}
	return end, nil
}

// statusErrorOnce is an answer that may differ the next time.
func statusErrorOnce(url string, resp *http.Response) error {
	return fmt.Errorf("%s: %s", url, resp.Status)
}

// statusError is an answer that is no file, with what to do about it.
func statusError(url string, resp *http.Response) error {
	err := statusErrorOnce(url, resp)
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return finalError{fmt.Errorf("%w: the model is private, gated or misspelled: accept its terms on the hub and set "+
			"HF_TOKEN", err)}
	case code == http.StatusNotFound:
		return finalError{fmt.Errorf("%w: no such model, revision or file", err)}
	case code == http.StatusTooManyRequests || code >= 500:
		return err
	}
	return finalError{err}
}

// meter writes to a file and tells how far it is.
type meter struct {
	f     *os.File
	done  int64
	d     *download
	heard func()
}

func (m *meter) Write(p []byte) (int, error) {
	m.heard()
	n, err := m.f.Write(p)
	m.done += int64(n)
	m.d.report(m.done)
	return n, err
}

func (d *download) report(done int64) {
	if d.progress != nil {
		d.progress(done, d.size)
	}
}

// verify compares the checksum: 64 digits are of SHA-256, 40 of git's SHA-1 over a header and the content.
func (d *download) verify(f *os.File) error {
	if d.unchecked {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var h hash.Hash
	switch len(d.sum) {
	case 2 * sha256.Size:
		h = sha256.New()
	case 2 * sha1.Size:
		h = sha1.New()
		fmt.Fprintf(h, "blob %d\x00", info.Size())
	default:
		return fmt.Errorf("%s: %q is no checksum", d.url, d.sum)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != d.sum {
		return fmt.Errorf("%s: the checksum of what arrived is %.16s…, not %.16s…: it was damaged on its way and is "+
			"deleted; try again", d.url, got, d.sum)
	}
	return nil
}
