// A stand-in for the official odoo image: its environment and port, and a health check that is true only while its
// database lets it in.
package main

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"fmt"
	"html"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	_ "github.com/lib/pq"
)

const patience = 4 * time.Second

func either(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func open() (*sql.DB, error) {
	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(either("USER", "odoo"), either("PASSWORD", "odoo")),
		Host:     net.JoinHostPort(either("HOST", "db"), either("PORT", "5432")),
		Path:     "/" + either("DATABASE_NAME", "postgres"),
		RawQuery: "sslmode=disable&connect_timeout=3",
	}
	return sql.Open("postgres", address.String())
}

// ask logs in anew, so that changed credentials are noticed.
func ask(ctx context.Context) error {
	database, err := open()
	if err != nil {
		return err
	}
	defer database.Close()
	var one int
	return database.QueryRowContext(ctx, "select 1").Scan(&one)
}

func health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	w.Header().Set("Content-Type", "application/json")
	if err := ask(ctx); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		json.NewEncoder(w).Encode(map[string]string{"status": "fail", "reason": err.Error()})
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"status": "pass"})
}

func page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><title>Odoo</title><h1>Odoo</h1><p>Database %s, administrator %s.</p>\n",
		html.EscapeString(os.Getenv("DATABASE_NAME")), html.EscapeString(os.Getenv("ADMIN_EMAIL")))
}

func same(left, right string) bool {
	return left != "" && subtle.ConstantTimeCompare([]byte(left), []byte(right)) == 1
}

func login(w http.ResponseWriter, r *http.Request) {
	if !same(r.PostFormValue("login"), os.Getenv("ADMIN_EMAIL")) ||
		!same(r.PostFormValue("password"), os.Getenv("ADMIN_PASSWORD")) {
		http.Error(w, "wrong login or password", http.StatusForbidden)
		return
	}
	fmt.Fprintln(w, "welcome")
}

func main() {
	routes := http.NewServeMux()
	routes.HandleFunc("/web/health", health)
	routes.HandleFunc("/login", login)
	routes.HandleFunc("/", page)
	server := &http.Server{Addr: ":8069", Handler: routes, ReadHeaderTimeout: patience}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		server.Shutdown(ctx)
	}()
	log.Printf("HTTP service running on port 8069, database %s at %s:%s",
		os.Getenv("DATABASE_NAME"), either("HOST", "db"), either("PORT", "5432"))
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	log.Print("ended")
}
