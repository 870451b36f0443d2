//! Plays the services that forward calls, where the server is the sandbox: it believes a header.

use super::Connection;
use super::settings::Endpoint;
use crate::ports::Forwarding;
use crate::services::Service;
use aws_sdk_kms::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kms::error::BoxError;

/// Names the service that forwards a call, as the first part of `kms:ViaService`.
const HEADER: &str = "x-keywright-via";

impl Forwarding for Connection {
    fn forwarded_by(&self, service: Service) -> Option<Self> {
        match self.gate.endpoint() {
            Endpoint::Sandbox(_) => {}
            Endpoint::Aws | Endpoint::Url(_) => return None,
        }
        let via = service.via_service(&self.region);
        let name = via.split('.').next().unwrap_or_default().to_owned();
        let config = self.kms.config().to_builder().interceptor(Via(name)).build();
        Some(Self { kms: aws_sdk_kms::Client::from_conf(config), ..self.clone() })
    }
}

/// Adds the header, before the request is signed.
#[derive(Debug)]
struct Via(String);

impl Intercept for Via {
    fn name(&self) -> &'static str {
        "Via"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert(HEADER, self.0.clone());
        Ok(())
    }
}
