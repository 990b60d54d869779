// An edge in Go, as people write it: check the HMAC, decode, publish, log, then answer.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const bodyLimit = 256 * 1024

type payment struct {
	SessionID   string `json:"session_id"`
	Amount      string `json:"amount"`
	Token       string `json:"token"`
	Blockchain  string `json:"blockchain"`
	Sender      string `json:"from_wallet_address"`
	Transaction string `json:"transaction_hash"`
	Time        string `json:"txTime"`
	Status      bool   `json:"status"`
}

type edge struct {
	secret []byte
	topic  string
	client *kgo.Client
	log    *slog.Logger
}

func (e *edge) genuine(body []byte, signature string) bool {
	given, err := hex.DecodeString(signature)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, e.secret)
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}

func (e *edge) publish(ctx context.Context, received payment) error {
	value, err := json.Marshal(received)
	if err != nil {
		return err
	}
	record := &kgo.Record{Topic: e.topic, Key: []byte(received.SessionID), Value: value}
	return e.client.ProduceSync(ctx, record).FirstErr()
}

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		http.Error(w, "body", http.StatusRequestEntityTooLarge)
		return
	}
	if !e.genuine(body, r.Header.Get("X-Signature")) {
		http.Error(w, "signature", http.StatusUnauthorized)
		return
	}
	var received payment
	if err := json.Unmarshal(body, &received); err != nil {
		http.Error(w, "body", http.StatusBadRequest)
		return
	}
	if err := e.publish(r.Context(), received); err != nil {
		e.log.Error("not published", "error", err)
		http.Error(w, "later", http.StatusServiceUnavailable)
		return
	}
	e.log.Info("delivery", "session", received.SessionID, "status", http.StatusOK,
		"milliseconds", time.Since(began).Milliseconds())
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"success":true}`)
}

func main() {
	port := flag.String("port", "", "port on 127.0.0.1")
	bootstrap := flag.String("bootstrap", "", "address of a broker")
	topic := flag.String("topic", "", "topic of the events")
	flag.Parse()
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	// Without the linger that this client has by default, like the clients of the other edges.
	client, err := kgo.NewClient(
		kgo.SeedBrokers(*bootstrap),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		logger.Error("no client", "error", err)
		os.Exit(1)
	}
	defer client.Close()
	http.Handle("/webhooks/shop", &edge{[]byte(os.Getenv("BENCH_SECRET")), *topic, client, logger})
	if err := http.ListenAndServe("127.0.0.1:"+*port, nil); err != nil {
		logger.Error("not listening", "error", err)
		os.Exit(1)
	}
}
