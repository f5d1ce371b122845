//! The server: endpoints, and nodes that follow the pictures.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use opcua::{
    crypto::SecurityPolicy,
    server::{
        ANONYMOUS_USER_TOKEN_ID, Server, ServerBuilder, ServerEndpoint, ServerHandle,
        address_space::{ObjectBuilder, VariableBuilder},
        diagnostics::NamespaceMetadata,
        node_manager::memory::{SimpleNodeManager, simple_node_manager},
    },
    types::{
        MessageSecurityMode, NodeId, ObjectId, ObjectTypeId, QualifiedName, StatusCode, Variant,
    },
};
use tokio::{net::TcpListener, sync::watch};

use super::{
    keys::{self, KeyError},
    nodes::{NODES, data_value, node_id},
};
use crate::picture::{MachinePicture, Plant};

/// The namespace of the machines. It must differ from the application's own address: nodes in a namespace
/// of that name are found but cannot be read.
const NAMESPACE: &str = "urn:offkey:machines";
const MANAGER: &str = "machines";
const FOLDER: &str = "Machines";
const PATH: &str = "/";
/// How often the folder of strangers' certificates is swept.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// How the door is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// This computer's name, as clients reach it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether clients may also connect without signature and encryption.
    pub unprotected: bool,
    /// Folder of certificates.
    pub folder: PathBuf,
    /// Sessions at the same time.
    pub sessions: usize,
}

/// Why the door cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpcUaError {
    /// There is no certificate.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The library refuses the settings.
    #[error("OPC UA cannot be started: {problem}")]
    Refused {
        /// Why.
        problem: String,
    },
}

/// The door, ready to be opened.
pub struct Door {
    server: Server,
    handle: ServerHandle,
    folder: PathBuf,
}

impl Door {
    /// Prepares everything: certificate, endpoints, the empty folder of machines. The first time takes
    /// seconds, for a key is made.
    ///
    /// # Errors
    /// [`OpcUaError`] for whatever keeps it from starting.
    pub fn new(settings: Settings) -> Result<Self, OpcUaError> {
        let Settings { host, port, unprotected, folder, sessions } = settings;
        let uri = format!("urn:{host}:offkey");
        keys::ensure(&folder, &uri, &host)?;
        let mut builder = ServerBuilder::new()
            .application_name("offkey")
            .application_uri(uri)
            .product_uri("urn:offkey")
            .certificate_path(keys::CERTIFICATE)
            .private_key_path(keys::KEY)
            .pki_dir(&folder)
            .trust_client_certs(false)
            .host(&host)
            .port(port)
            .max_sessions(sessions)
            .discovery_urls(vec![format!("opc.tcp://{host}:{port}{PATH}")])
            .default_endpoint("aes256")
            .with_node_manager(simple_node_manager(
                NamespaceMetadata {
                    namespace_uri: NAMESPACE.to_owned(),
                    ..NamespaceMetadata::default()
                },
                MANAGER,
            ));
        let encrypted = MessageSecurityMode::SignAndEncrypt;
        let endpoints = [
            ("aes256", SecurityPolicy::Aes256Sha256RsaPss, encrypted),
            ("basic256sha256", SecurityPolicy::Basic256Sha256, encrypted),
            ("none", SecurityPolicy::None, MessageSecurityMode::None),
        ];
        let anybody: &[&str] = &[ANONYMOUS_USER_TOKEN_ID];
        for (name, policy, mode) in &endpoints[..if unprotected { 3 } else { 2 }] {
            builder =
                builder.add_endpoint(*name, ServerEndpoint::from((PATH, *policy, *mode, anybody)));
        }
        let (server, handle) =
            builder.build().map_err(|problem| OpcUaError::Refused { problem })?;
        Ok(Self { server, handle, folder })
    }

    /// Serves until the sender of pictures is gone.
    ///
    /// # Errors
    /// [`OpcUaError::Refused`] when the library gives up.
    pub async fn serve(
        self,
        listener: TcpListener,
        pictures: watch::Receiver<Arc<Plant>>,
    ) -> Result<(), OpcUaError> {
        let Self { server, handle, folder } = self;
        let refused = |problem: &str| OpcUaError::Refused { problem: problem.to_owned() };
        let manager = handle
            .node_managers()
            .get_of_type::<SimpleNodeManager>()
            .ok_or_else(|| refused("the machines have no place"))?;
        let namespace = handle
            .get_namespace_index(NAMESPACE)
            .ok_or_else(|| refused("the machines have no namespace"))?;
        let mut nodes = Nodes { manager, handle, namespace, told: BTreeMap::new() };
        nodes.begin();
        let token = nodes.handle.token().clone();
        let (served, ()) = tokio::join!(server.run_with(listener), async {
            follow(&mut nodes, pictures, folder).await;
            token.cancel();
        });
        served.map_err(|problem| OpcUaError::Refused { problem })
    }
}

async fn follow(nodes: &mut Nodes, mut pictures: watch::Receiver<Arc<Plant>>, folder: PathBuf) {
    let mut swept = Instant::now();
    loop {
        let plant = Arc::clone(&pictures.borrow_and_update());
        if let Err(status) = nodes.show(&plant) {
            tracing::error!("OPC UA: a picture cannot be shown: {status}");
        }
        if swept.elapsed() >= SWEEP_EVERY {
            swept = Instant::now();
            if let Err(error) = keys::sweep(&folder) {
                tracing::warn!("OPC UA: strangers' certificates stay: {error}");
            }
        }
        if pictures.changed().await.is_err() {
            return;
        }
    }
}

/// The nodes, and what was last told of each machine.
struct Nodes {
    manager: Arc<SimpleNodeManager>,
    handle: ServerHandle,
    namespace: u16,
    told: BTreeMap<String, Vec<Option<Variant>>>,
}

impl Nodes {
    fn begin(&self) {
        let mut space = self.manager.address_space().write();
        space.add_folder(
            &node_id(self.namespace, FOLDER, None),
            QualifiedName::new(self.namespace, FOLDER),
            FOLDER,
            &ObjectId::ObjectsFolder.into(),
        );
    }

    /// Tells what changed.
    fn show(&mut self, plant: &Plant) -> Result<(), StatusCode> {
        let gone: Vec<String> = self
            .told
            .keys()
            .filter(|name| plant.machines.iter().all(|machine| machine.name != **name))
            .cloned()
            .collect();
        for name in gone {
            self.remove(&name);
        }
        for machine in &plant.machines {
            if !self.told.contains_key(&machine.name) {
                self.add(machine);
            }
            self.update(machine)?;
        }
        Ok(())
    }

    fn add(&mut self, machine: &MachinePicture) {
        let mut space = self.manager.address_space().write();
        let object = node_id(self.namespace, &machine.name, None);
        ObjectBuilder::new(
            &object,
            QualifiedName::new(self.namespace, machine.name.as_str()),
            machine.title.as_str(),
        )
        .has_type_definition(ObjectTypeId::BaseObjectType)
        .organized_by(node_id(self.namespace, FOLDER, None))
        .insert(&mut *space);
        for node in NODES {
            let id = node_id(self.namespace, &machine.name, Some(node.name));
            VariableBuilder::new(&id, QualifiedName::new(self.namespace, node.name), node.name)
                .description(node.meaning)
                .data_type(node.data_type())
                .component_of(object.clone())
                .insert(&mut *space);
        }
        drop(space);
        self.told.insert(machine.name.clone(), Vec::new());
    }

    fn update(&mut self, machine: &MachinePicture) -> Result<(), StatusCode> {
        let told = self.told.entry(machine.name.clone()).or_default();
        let values: Vec<Option<Variant>> = NODES.iter().map(|node| node.read(machine)).collect();
        let changed: Vec<(NodeId, usize)> = (0..NODES.len())
            .filter(|&index| told.get(index) != Some(&values[index]))
            .map(|index| (node_id(self.namespace, &machine.name, Some(NODES[index].name)), index))
            .collect();
        let values_told = changed
            .iter()
            .map(|(id, index)| (id, None, data_value(values[*index].clone(), machine.at_ms)));
        self.manager.set_values(self.handle.subscriptions(), values_told)?;
        *told = values;
        Ok(())
    }

    fn remove(&mut self, name: &str) {
        let mut space = self.manager.address_space().write();
        for node in NODES {
            space.delete(&node_id(self.namespace, name, Some(node.name)), true);
        }
        space.delete(&node_id(self.namespace, name, None), true);
        drop(space);
        self.told.remove(name);
    }
}
