//! Numbers to pictures and pages: t-SNE, RISE, charts, one HTML page.
